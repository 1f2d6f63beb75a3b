-- +goose Up
CREATE TABLE documents (
    kind    TEXT COLLATE "C" NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    version BIGINT   NOT NULL CHECK (version > 0),
    text    TEXT     NOT NULL,
    author  TEXT     NOT NULL,
    why     TEXT     NOT NULL,
    at      BIGINT   NOT NULL,
    deleted SMALLINT NOT NULL CHECK (deleted IN (0, 1)),
    PRIMARY KEY (kind, name, version)
);

-- Its one row is locked by every writer of documents and people, and read with every planning batch.
CREATE TABLE catalogue (
    one     SMALLINT PRIMARY KEY CHECK (one = 1),
    version BIGINT   NOT NULL
);
INSERT INTO catalogue (one, version) VALUES (1, 0);

-- An account belongs to one person; several sources may say so, and the foreign key makes them agree.
CREATE TABLE accounts (
    system      TEXT COLLATE "C" NOT NULL,
    account_key TEXT COLLATE "C" NOT NULL,
    account     TEXT NOT NULL,
    person      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (system, account_key),
    UNIQUE (system, account_key, person)
);
CREATE INDEX accounts_person ON accounts (person);
CREATE TABLE identities (
    source      TEXT COLLATE "C" NOT NULL,
    system      TEXT COLLATE "C" NOT NULL,
    account_key TEXT COLLATE "C" NOT NULL,
    person      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (source, system, account_key),
    FOREIGN KEY (system, account_key, person) REFERENCES accounts (system, account_key, person)
);
CREATE INDEX identities_account ON identities (system, account_key);

CREATE TABLE settings (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE sessions (
    hash       TEXT COLLATE "C" PRIMARY KEY,
    person     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);
