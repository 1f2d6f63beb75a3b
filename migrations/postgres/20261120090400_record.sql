-- +goose Up
-- Append only. Erasure empties salt and content; the digest then proves nothing about a person any more.
CREATE TABLE records (
    id      TEXT COLLATE "C" PRIMARY KEY,
    at      BIGINT NOT NULL,
    case_id TEXT COLLATE "C" NOT NULL,
    kind    TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    salt    BYTEA  NOT NULL,
    content TEXT   NOT NULL,
    digest  BYTEA  NOT NULL
);
CREATE INDEX records_case ON records (case_id, id) WHERE case_id <> '';
