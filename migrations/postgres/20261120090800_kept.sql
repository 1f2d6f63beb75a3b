-- +goose Up
-- What connections have to remember although it is no setting, a refresh token for instance. sealed is encrypted.
CREATE TABLE kept (
    connection TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    sealed     TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (connection, name)
);
