-- +goose Up
-- What connections have to remember although it is no setting, a refresh token for instance. sealed is encrypted.
CREATE TABLE kept (
    connection TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    sealed     TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (connection, name)
) STRICT;
