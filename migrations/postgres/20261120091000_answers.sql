-- +goose Up
-- What people answered where no ticket is kept, in the order in which we recorded it. id is the vendor's for this one
-- answer, within its connection.
CREATE TABLE answers (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    case_id     TEXT COLLATE "C" NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    link_id     TEXT COLLATE "C" NOT NULL,
    n           BIGINT NOT NULL,
    account     TEXT COLLATE "C" NOT NULL,
    mail        TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    machine     BIGINT NOT NULL CHECK (machine IN (0, 1)),
    outcome     TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('approved', 'denied')),
    reason      TEXT COLLATE "C" NOT NULL,
    duration    TEXT COLLATE "C" NOT NULL,
    at          BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    judged      BIGINT NOT NULL CHECK (judged IN (0, 1)),
    UNIQUE (link_id, n)
);
CREATE INDEX answers_case ON answers (case_id);
