-- +goose Up
-- What the data of a source's events looks like, by kind, as learned from those that were accepted.
CREATE TABLE shapes (
    connection TEXT COLLATE "C" NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL,
    fields     TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (connection, kind)
);

-- What an admin should look at. One is open a kind and subject; closed_at is 0 while it is.
CREATE TABLE operator_notices (
    id        TEXT COLLATE "C" PRIMARY KEY,
    kind      TEXT COLLATE "C" NOT NULL,
    subject   TEXT COLLATE "C" NOT NULL,
    text      TEXT   NOT NULL,
    first_at  BIGINT NOT NULL,
    last_at   BIGINT NOT NULL,
    count     BIGINT NOT NULL CHECK (count > 0),
    closed_at BIGINT NOT NULL,
    closed_by TEXT   NOT NULL
);
CREATE UNIQUE INDEX operator_notices_open ON operator_notices (kind, subject) WHERE closed_at = 0;
CREATE INDEX operator_notices_closed ON operator_notices (closed_at) WHERE closed_at > 0;

-- A decision on a test is kept and told to nobody.
ALTER TABLE decisions DROP CONSTRAINT decisions_state_check;
ALTER TABLE decisions ADD CONSTRAINT decisions_state_check CHECK (state IN ('owed', 'posted', 'refused', 'told', 'test'));
