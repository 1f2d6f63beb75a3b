-- +goose Up
CREATE TABLE links (
    id             TEXT    NOT NULL PRIMARY KEY,
    case_id        TEXT    NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    desk           TEXT    NOT NULL,
    slot           TEXT    NOT NULL,
    key            TEXT    NOT NULL UNIQUE,
    ref_id         TEXT    NOT NULL,
    ref_key        TEXT    NOT NULL,
    ref_url        TEXT    NOT NULL,
    rule           TEXT    NOT NULL,
    policy         TEXT    NOT NULL,
    rule_version   INTEGER NOT NULL,
    policy_version INTEGER NOT NULL,
    project        TEXT    NOT NULL,
    type           TEXT    NOT NULL,
    baseline       TEXT    NOT NULL,
    opening        TEXT    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('planned', 'linked', 'twin', 'gone')),
    created_at     INTEGER NOT NULL,
    linked_at      INTEGER NOT NULL,
    UNIQUE (case_id, desk, slot)
) STRICT;
-- A ticket belongs to one link.
CREATE UNIQUE INDEX links_ref ON links (desk, ref_id) WHERE ref_id <> '' AND state <> 'gone';

-- Outbox, history and dead letters in one. ready marks the head of a lane; the unique index on it is what keeps a
-- lane from ever having two deliveries under way. event_id, link_id and decision_id are written in the transaction
-- that has the row they point at, and go with the case; a foreign key on each would cost an index on every write.
CREATE TABLE deliveries (
    id            TEXT    NOT NULL PRIMARY KEY,
    case_id       TEXT    REFERENCES cases (id) ON DELETE CASCADE,
    event_id      TEXT    NOT NULL,
    link_id       TEXT    NOT NULL,
    lane          TEXT    NOT NULL,
    connection    TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    mode          TEXT    NOT NULL CHECK (mode IN ('live', 'shadow')),
    state         TEXT    NOT NULL CHECK (state IN ('pending', 'running', 'delivered', 'dead', 'canceled')),
    seq           INTEGER NOT NULL,
    ready         INTEGER NOT NULL CHECK (ready IN (0, 1)),
    holds         INTEGER NOT NULL CHECK (holds IN (0, 1)),
    in_doubt      INTEGER NOT NULL CHECK (in_doubt IN (0, 1)),
    may_sent      INTEGER NOT NULL CHECK (may_sent IN (0, 1)),
    due           INTEGER NOT NULL,
    attempts      INTEGER NOT NULL CHECK (attempts >= 0),
    epoch         INTEGER NOT NULL,
    claimed_until INTEGER NOT NULL,
    doubt_until   INTEGER NOT NULL,
    action        TEXT    NOT NULL,
    purpose       TEXT    NOT NULL,
    decision_id   TEXT    NOT NULL,
    error         TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    rule          TEXT    NOT NULL,
    rule_version  INTEGER NOT NULL,
    UNIQUE (case_id, seq),
    CHECK (ready = 0 OR (mode = 'live' AND state IN ('pending', 'running'))),
    CHECK (state <> 'running' OR ready = 1)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (connection, due) WHERE ready = 1 AND state = 'pending';
CREATE UNIQUE INDEX deliveries_head ON deliveries (case_id, lane) WHERE ready = 1;
CREATE INDEX deliveries_lane ON deliveries (case_id, lane, seq) WHERE state IN ('pending', 'running', 'dead');
CREATE INDEX deliveries_running ON deliveries (connection) WHERE state = 'running';
CREATE INDEX deliveries_link ON deliveries (link_id) WHERE kind = 'create';
CREATE INDEX deliveries_dead ON deliveries (connection, updated_at) WHERE state = 'dead';
CREATE INDEX deliveries_loose ON deliveries (updated_at) WHERE case_id IS NULL;

CREATE TABLE attempts (
    id          TEXT    NOT NULL PRIMARY KEY,
    delivery_id TEXT    NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    n           INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('delivered', 'temporary', 'throttled', 'permanent', 'unwell', 'lost')),
    status      INTEGER NOT NULL,
    error       TEXT    NOT NULL,
    detail      TEXT    NOT NULL
) STRICT;
CREATE INDEX attempts_delivery ON attempts (delivery_id, id);

-- present says that the holder keeps a session whose end frees the lease before its time is up.
CREATE TABLE leases (
    name    TEXT    NOT NULL PRIMARY KEY,
    holder  TEXT    NOT NULL,
    epoch   INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    present INTEGER NOT NULL CHECK (present IN (0, 1))
) STRICT;

CREATE TABLE health (
    connection TEXT    NOT NULL PRIMARY KEY,
    state      TEXT    NOT NULL CHECK (state IN ('well', 'unwell')),
    reason     TEXT    NOT NULL,
    since      INTEGER NOT NULL,
    next_ping  INTEGER NOT NULL,
    pings      INTEGER NOT NULL
) STRICT;
