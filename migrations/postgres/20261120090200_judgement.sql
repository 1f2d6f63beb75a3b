-- +goose Up
-- One case, one decision.
CREATE TABLE decisions (
    id             TEXT COLLATE "C" PRIMARY KEY,
    case_id        TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES cases (id) ON DELETE CASCADE,
    link_id        TEXT     NOT NULL,
    outcome        TEXT     NOT NULL,
    person         TEXT     NOT NULL,
    person_name    TEXT     NOT NULL,
    reason         TEXT     NOT NULL,
    origin         TEXT     NOT NULL CHECK (origin IN ('desk', 'source', 'vote', 'clock')),
    claim          TEXT     NOT NULL,
    rule           TEXT     NOT NULL,
    policy         TEXT     NOT NULL,
    rule_version   BIGINT   NOT NULL,
    policy_version BIGINT   NOT NULL,
    at             BIGINT   NOT NULL,
    recorded_at    BIGINT   NOT NULL,
    once           SMALLINT NOT NULL CHECK (once IN (0, 1)),
    length         BIGINT   NOT NULL,
    state          TEXT     NOT NULL CHECK (state IN ('owed', 'posted', 'refused', 'told')),
    delivery_id    TEXT     NOT NULL,
    detail         TEXT     NOT NULL
);

CREATE TABLE refusals (
    link_id TEXT COLLATE "C" NOT NULL,
    claim   TEXT COLLATE "C" NOT NULL,
    code    TEXT COLLATE "C" NOT NULL,
    case_id TEXT COLLATE "C" NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    text    TEXT   NOT NULL,
    person  TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (link_id, claim, code)
);
CREATE INDEX refusals_case ON refusals (case_id);

CREATE TABLE votes (
    id      TEXT COLLATE "C" PRIMARY KEY,
    case_id TEXT COLLATE "C" NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    link_id TEXT   NOT NULL,
    person  TEXT   NOT NULL,
    account TEXT   NOT NULL,
    outcome TEXT   NOT NULL,
    reason  TEXT   NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX votes_case ON votes (case_id, id);

-- What a desk told us by an id of its own, so that it is taken once.
CREATE TABLE notices (
    connection TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    seen_at    BIGINT NOT NULL,
    PRIMARY KEY (connection, id)
);
CREATE INDEX notices_seen ON notices (seen_at);

-- Tickets that are said to have moved and are still to be read again, one row a ticket. told is another
-- number with each claim, so that one that comes in during the reading is not lost.
CREATE TABLE changes (
    connection TEXT COLLATE "C" NOT NULL,
    ref_id     TEXT COLLATE "C" NOT NULL,
    ref_key    TEXT NOT NULL,
    due        BIGINT NOT NULL,
    tries      BIGINT NOT NULL,
    told       BIGINT NOT NULL,
    PRIMARY KEY (connection, ref_id)
);
CREATE INDEX changes_due ON changes (connection, due);

CREATE TABLE cursors (
    connection TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (connection, name)
);

-- Access that was granted and is to be taken back: an action of its own, at most once a case.
CREATE TABLE revocations (
    case_id     TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES cases (id) ON DELETE CASCADE,
    link_id     TEXT COLLATE "C" NOT NULL,
    claim       TEXT NOT NULL,
    person      TEXT NOT NULL,
    person_name TEXT NOT NULL,
    at          BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('owed', 'posted', 'refused')),
    delivery_id TEXT COLLATE "C" NOT NULL
);

-- What is to happen to a case at a time, unless it is decided before.
CREATE TABLE timers (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    case_id TEXT COLLATE "C" NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    link_id TEXT COLLATE "C" NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('remind', 'deputy', 'second', 'deadline')),
    due     BIGINT NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'dropped')),
    UNIQUE (link_id, kind, due)
);
CREATE INDEX timers_due ON timers (due) WHERE state = 'waiting';
CREATE INDEX timers_case ON timers (case_id);
