-- +goose Up
-- Access tokens our token endpoint gave out, by hash. Expired ones are deleted.
CREATE TABLE oauth_tokens (
    hash       TEXT    NOT NULL PRIMARY KEY,
    connection TEXT    NOT NULL,
    client_id  TEXT    NOT NULL,
    way        TEXT    NOT NULL CHECK (way IN ('client_credentials', 'password')),
    credential TEXT    NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL
) STRICT;
CREATE INDEX oauth_tokens_connection ON oauth_tokens (connection);
CREATE INDEX oauth_tokens_expiry ON oauth_tokens (expires_at);

-- Client secrets the program made. They stand beside the documents, so that applying a file again does not undo a
-- rotation. sha256 is in hex.
CREATE TABLE client_secrets (
    connection TEXT    NOT NULL,
    mark       TEXT    NOT NULL,
    sha256     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (connection, mark)
) STRICT;

-- When each of a connection's credentials was good for the first and the last time.
CREATE TABLE credential_uses (
    connection TEXT    NOT NULL,
    mark       TEXT    NOT NULL,
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    PRIMARY KEY (connection, mark)
) STRICT;
