-- +goose Up
CREATE TABLE documents (
    kind    TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    text    TEXT    NOT NULL,
    author  TEXT    NOT NULL,
    why     TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    deleted INTEGER NOT NULL CHECK (deleted IN (0, 1)),
    PRIMARY KEY (kind, name, version)
) STRICT;

-- Its one row is locked by every writer of documents and people, and read with every planning batch.
CREATE TABLE catalogue (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
) STRICT;
INSERT INTO catalogue (one, version) VALUES (1, 0);

-- An account belongs to one person; several sources may say so, and the foreign key makes them agree.
CREATE TABLE accounts (
    system      TEXT    NOT NULL,
    account_key TEXT    NOT NULL,
    account     TEXT    NOT NULL,
    person      TEXT    NOT NULL,
    PRIMARY KEY (system, account_key),
    UNIQUE (system, account_key, person)
) STRICT;
CREATE INDEX accounts_person ON accounts (person);
CREATE TABLE identities (
    source      TEXT    NOT NULL,
    system      TEXT    NOT NULL,
    account_key TEXT    NOT NULL,
    person      TEXT    NOT NULL,
    PRIMARY KEY (source, system, account_key),
    FOREIGN KEY (system, account_key, person) REFERENCES accounts (system, account_key, person)
) STRICT;
CREATE INDEX identities_account ON identities (system, account_key);

CREATE TABLE settings (
    name  TEXT    NOT NULL PRIMARY KEY,
    value TEXT    NOT NULL
) STRICT;

CREATE TABLE sessions (
    hash       TEXT    NOT NULL PRIMARY KEY,
    person     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_expiry ON sessions (expires_at);
