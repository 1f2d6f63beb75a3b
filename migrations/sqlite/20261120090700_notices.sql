-- +goose Up
-- What the data of a source's events looks like, by kind, as learned from those that were accepted.
CREATE TABLE shapes (
    connection TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    fields     TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (connection, kind)
) STRICT;

-- What an admin should look at. One is open a kind and subject; closed_at is 0 while it is.
CREATE TABLE operator_notices (
    id        TEXT    NOT NULL PRIMARY KEY,
    kind      TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    text      TEXT    NOT NULL,
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    count     INTEGER NOT NULL CHECK (count > 0),
    closed_at INTEGER NOT NULL,
    closed_by TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX operator_notices_open ON operator_notices (kind, subject) WHERE closed_at = 0;
CREATE INDEX operator_notices_closed ON operator_notices (closed_at) WHERE closed_at > 0;

-- A decision on a test is kept and told to nobody: the table is made again with a state for that.
CREATE TABLE decisions_new (
    id             TEXT    NOT NULL PRIMARY KEY,
    case_id        TEXT    NOT NULL UNIQUE REFERENCES cases (id) ON DELETE CASCADE,
    link_id        TEXT    NOT NULL,
    outcome        TEXT    NOT NULL,
    person         TEXT    NOT NULL,
    person_name    TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    origin         TEXT    NOT NULL CHECK (origin IN ('desk', 'source', 'vote', 'clock')),
    claim          TEXT    NOT NULL,
    rule           TEXT    NOT NULL,
    policy         TEXT    NOT NULL,
    rule_version   INTEGER NOT NULL,
    policy_version INTEGER NOT NULL,
    at             INTEGER NOT NULL,
    recorded_at    INTEGER NOT NULL,
    once           INTEGER NOT NULL CHECK (once IN (0, 1)),
    length         INTEGER NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('owed', 'posted', 'refused', 'told', 'test')),
    delivery_id    TEXT    NOT NULL,
    detail         TEXT    NOT NULL
) STRICT;
INSERT INTO decisions_new (id, case_id, link_id, outcome, person, person_name, reason, origin, claim, rule, policy, rule_version,
    policy_version, at, recorded_at, once, length, state, delivery_id, detail)
SELECT id, case_id, link_id, outcome, person, person_name, reason, origin, claim, rule, policy, rule_version, policy_version, at,
    recorded_at, once, length, state, delivery_id, detail FROM decisions;
DROP TABLE decisions;
ALTER TABLE decisions_new RENAME TO decisions;
