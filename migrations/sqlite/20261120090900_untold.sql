-- +goose Up
-- A decision whose source has no way to be told stands in the record alone: the table is made again with a state for that.
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
    state          TEXT    NOT NULL CHECK (state IN ('owed', 'posted', 'refused', 'told', 'test', 'kept')),
    delivery_id    TEXT    NOT NULL,
    detail         TEXT    NOT NULL
) STRICT;
INSERT INTO decisions_new (id, case_id, link_id, outcome, person, person_name, reason, origin, claim, rule, policy, rule_version,
    policy_version, at, recorded_at, once, length, state, delivery_id, detail)
SELECT id, case_id, link_id, outcome, person, person_name, reason, origin, claim, rule, policy, rule_version, policy_version, at,
    recorded_at, once, length, state, delivery_id, detail FROM decisions;
DROP TABLE decisions;
ALTER TABLE decisions_new RENAME TO decisions;

-- Approvals of late, for sources that are asked whether what was approved came to pass.
CREATE INDEX decisions_approved ON decisions (recorded_at) WHERE outcome = 'approved';
