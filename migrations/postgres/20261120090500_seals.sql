-- +goose Up
-- The sealer numbers rows without a gap and chains them: chain is the hash over the chain before, n, id, at, kind,
-- case_id and digest. A row without n is still to be sealed. Erasure leaves all of these as they are.
ALTER TABLE records ADD COLUMN n BIGINT;
ALTER TABLE records ADD COLUMN chain TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE UNIQUE INDEX records_n ON records (n) WHERE n IS NOT NULL;
CREATE INDEX records_unsealed ON records (id) WHERE n IS NULL;

-- How far the record is sealed, signed; without it a tail that was cut off would not be missed.
CREATE TABLE seal_head (
    one       SMALLINT PRIMARY KEY CHECK (one = 1),
    n         BIGINT NOT NULL,
    chain     TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    key_id    TEXT   NOT NULL,
    signature BYTEA  NOT NULL
) WITH (fillfactor = 50);
INSERT INTO seal_head (one, n, chain, at, key_id, signature) VALUES (1, 0, '', 0, '', '');

-- Signed as the head was: one a day, and the one the record begins after since retention cut it.
CREATE TABLE checkpoints (
    kind      TEXT   NOT NULL CHECK (kind IN ('day', 'cut')),
    n         BIGINT NOT NULL,
    chain     TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    key_id    TEXT   NOT NULL,
    signature BYTEA  NOT NULL,
    PRIMARY KEY (kind, at)
);
