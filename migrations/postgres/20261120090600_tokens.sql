-- +goose Up
-- Access tokens our token endpoint gave out, by hash. Expired ones are deleted.
CREATE TABLE oauth_tokens (
    hash       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    connection TEXT COLLATE "C" NOT NULL,
    client_id  TEXT COLLATE "C" NOT NULL,
    way        TEXT COLLATE "C" NOT NULL CHECK (way IN ('client_credentials', 'password')),
    credential TEXT COLLATE "C" NOT NULL,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
);
CREATE INDEX oauth_tokens_connection ON oauth_tokens (connection);
CREATE INDEX oauth_tokens_expiry ON oauth_tokens (expires_at);

-- Client secrets the program made. They stand beside the documents, so that applying a file again does not undo a
-- rotation. sha256 is in hex.
CREATE TABLE client_secrets (
    connection TEXT COLLATE "C" NOT NULL,
    mark       TEXT COLLATE "C" NOT NULL,
    sha256     TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (connection, mark)
);

-- When each of a connection's credentials was good for the first and the last time.
CREATE TABLE credential_uses (
    connection TEXT COLLATE "C" NOT NULL,
    mark       TEXT COLLATE "C" NOT NULL,
    first_at   BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    PRIMARY KEY (connection, mark)
);
