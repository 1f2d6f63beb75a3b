-- +goose Up
-- What people answered where no ticket is kept, in the order in which we recorded it. id is the vendor's for this one
-- answer, within its connection.
CREATE TABLE answers (
    id          TEXT    NOT NULL PRIMARY KEY,
    case_id     TEXT    NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    link_id     TEXT    NOT NULL,
    n           INTEGER NOT NULL,
    account     TEXT    NOT NULL,
    mail        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    machine     INTEGER NOT NULL CHECK (machine IN (0, 1)),
    outcome     TEXT    NOT NULL CHECK (outcome IN ('approved', 'denied')),
    reason      TEXT    NOT NULL,
    duration    TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    judged      INTEGER NOT NULL CHECK (judged IN (0, 1)),
    UNIQUE (link_id, n)
) STRICT;
CREATE INDEX answers_case ON answers (case_id);
