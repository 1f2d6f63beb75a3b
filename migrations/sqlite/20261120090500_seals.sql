-- +goose Up
-- The sealer numbers rows without a gap and chains them: chain is the hash over the chain before, n, id, at, kind,
-- case_id and digest. A row without n is still to be sealed. Erasure leaves all of these as they are.
ALTER TABLE records ADD COLUMN n INTEGER;
ALTER TABLE records ADD COLUMN chain TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX records_n ON records (n) WHERE n IS NOT NULL;
CREATE INDEX records_unsealed ON records (id) WHERE n IS NULL;

-- How far the record is sealed, signed; without it a tail that was cut off would not be missed.
CREATE TABLE seal_head (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    n         INTEGER NOT NULL,
    chain     TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    key_id    TEXT    NOT NULL,
    signature BLOB    NOT NULL
) STRICT;
INSERT INTO seal_head (one, n, chain, at, key_id, signature) VALUES (1, 0, '', 0, '', x'');

-- Signed as the head was: one a day, and the one the record begins after since retention cut it.
CREATE TABLE checkpoints (
    kind      TEXT    NOT NULL CHECK (kind IN ('day', 'cut')),
    n         INTEGER NOT NULL,
    chain     TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    key_id    TEXT    NOT NULL,
    signature BLOB    NOT NULL,
    PRIMARY KEY (kind, at)
) STRICT;
