-- +goose Up
-- Append only. Erasure empties salt and content; the digest then proves nothing about a person any more.
CREATE TABLE records (
    id      TEXT    NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    case_id TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    salt    BLOB    NOT NULL,
    content TEXT    NOT NULL,
    digest  BLOB    NOT NULL
) STRICT;
CREATE INDEX records_case ON records (case_id, id) WHERE case_id <> '';
