-- +goose Up
CREATE TABLE links (
    id             TEXT COLLATE "C" PRIMARY KEY,
    case_id        TEXT COLLATE "C" NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    desk           TEXT COLLATE "C" NOT NULL,
    slot           TEXT COLLATE "C" NOT NULL,
    key            TEXT COLLATE "C" NOT NULL UNIQUE,
    ref_id         TEXT COLLATE "C" NOT NULL,
    ref_key        TEXT   NOT NULL,
    ref_url        TEXT   NOT NULL,
    rule           TEXT   NOT NULL,
    policy         TEXT   NOT NULL,
    rule_version   BIGINT NOT NULL,
    policy_version BIGINT NOT NULL,
    project        TEXT   NOT NULL,
    type           TEXT   NOT NULL,
    baseline       TEXT    NOT NULL,
    opening        TEXT   NOT NULL,
    state          TEXT   NOT NULL CHECK (state IN ('planned', 'linked', 'twin', 'gone')),
    created_at     BIGINT NOT NULL,
    linked_at      BIGINT NOT NULL,
    UNIQUE (case_id, desk, slot)
);
-- A ticket belongs to one link.
CREATE UNIQUE INDEX links_ref ON links (desk, ref_id) WHERE ref_id <> '' AND state <> 'gone';

-- Outbox, history and dead letters in one. ready marks the head of a lane; the unique index on it is what keeps a
-- lane from ever having two deliveries under way. event_id, link_id and decision_id are written in the transaction
-- that has the row they point at, and go with the case; a foreign key on each would cost an index on every write.
CREATE TABLE deliveries (
    id            TEXT COLLATE "C" PRIMARY KEY,
    case_id       TEXT COLLATE "C" REFERENCES cases (id) ON DELETE CASCADE,
    event_id      TEXT     NOT NULL,
    link_id       TEXT     NOT NULL,
    lane          TEXT COLLATE "C" NOT NULL,
    connection    TEXT COLLATE "C" NOT NULL,
    kind          TEXT     NOT NULL,
    mode          TEXT     NOT NULL CHECK (mode IN ('live', 'shadow')),
    state         TEXT     NOT NULL CHECK (state IN ('pending', 'running', 'delivered', 'dead', 'canceled')),
    seq           BIGINT   NOT NULL,
    ready         SMALLINT NOT NULL CHECK (ready IN (0, 1)),
    holds         SMALLINT NOT NULL CHECK (holds IN (0, 1)),
    in_doubt      SMALLINT NOT NULL CHECK (in_doubt IN (0, 1)),
    may_sent      SMALLINT NOT NULL CHECK (may_sent IN (0, 1)),
    due           BIGINT   NOT NULL,
    attempts      BIGINT   NOT NULL CHECK (attempts >= 0),
    epoch         BIGINT   NOT NULL,
    claimed_until BIGINT   NOT NULL,
    doubt_until   BIGINT   NOT NULL,
    action        TEXT     NOT NULL,
    purpose       TEXT     NOT NULL,
    decision_id   TEXT     NOT NULL,
    error         TEXT     NOT NULL,
    created_at    BIGINT   NOT NULL,
    updated_at    BIGINT   NOT NULL,
    rule          TEXT     NOT NULL,
    rule_version  BIGINT   NOT NULL,
    UNIQUE (case_id, seq),
    CHECK (ready = 0 OR (mode = 'live' AND state IN ('pending', 'running'))),
    CHECK (state <> 'running' OR ready = 1)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX deliveries_due ON deliveries (connection, due) WHERE ready = 1 AND state = 'pending';
CREATE UNIQUE INDEX deliveries_head ON deliveries (case_id, lane) WHERE ready = 1;
CREATE INDEX deliveries_lane ON deliveries (case_id, lane, seq) WHERE state IN ('pending', 'running', 'dead');
CREATE INDEX deliveries_running ON deliveries (connection) WHERE state = 'running';
CREATE INDEX deliveries_link ON deliveries (link_id) WHERE kind = 'create';
CREATE INDEX deliveries_dead ON deliveries (connection, updated_at) WHERE state = 'dead';
CREATE INDEX deliveries_loose ON deliveries (updated_at) WHERE case_id IS NULL;

CREATE TABLE attempts (
    id          TEXT COLLATE "C" PRIMARY KEY,
    delivery_id TEXT COLLATE "C" NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    n           BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,
    outcome     TEXT   NOT NULL CHECK (outcome IN ('delivered', 'temporary', 'throttled', 'permanent', 'unwell', 'lost')),
    status      BIGINT NOT NULL,
    error       TEXT   NOT NULL,
    detail      TEXT   NOT NULL
);
CREATE INDEX attempts_delivery ON attempts (delivery_id, id);

-- present says that the holder keeps a session whose end frees the lease before its time is up.
CREATE TABLE leases (
    name    TEXT COLLATE "C" PRIMARY KEY,
    holder  TEXT     NOT NULL,
    epoch   BIGINT   NOT NULL,
    until   BIGINT   NOT NULL,
    present SMALLINT NOT NULL CHECK (present IN (0, 1))
) WITH (fillfactor = 50);

CREATE TABLE health (
    connection TEXT COLLATE "C" PRIMARY KEY,
    state      TEXT   NOT NULL CHECK (state IN ('well', 'unwell')),
    reason     TEXT   NOT NULL,
    since      BIGINT NOT NULL,
    next_ping  BIGINT NOT NULL,
    pings      BIGINT NOT NULL
);
