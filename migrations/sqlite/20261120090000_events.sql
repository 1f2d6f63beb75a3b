-- +goose Up
CREATE TABLE schema_compatibility (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    min_version INTEGER NOT NULL
) STRICT;
INSERT INTO schema_compatibility (one, min_version) VALUES (1, 20261120090000);

-- A case is locked by whoever changes its lanes; next_seq numbers its deliveries.
CREATE TABLE cases (
    id          TEXT    NOT NULL PRIMARY KEY,
    connection  TEXT    NOT NULL,
    tenant      TEXT    NOT NULL,
    request_id  TEXT    NOT NULL,
    parent_id   TEXT    REFERENCES cases (id) ON DELETE SET NULL,
    kind        TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'decided', 'closed')),
    requester   TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    severity    TEXT    NOT NULL,
    opened_at   INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    edited_body INTEGER NOT NULL CHECK (edited_body IN (0, 1)),
    next_seq    INTEGER NOT NULL DEFAULT 1,
    UNIQUE (connection, tenant, request_id)
) STRICT;
CREATE INDEX cases_state ON cases (state, id);
CREATE INDEX cases_parent ON cases (parent_id) WHERE parent_id IS NOT NULL;

-- seq is the order of arrival as this database saw it.
CREATE TABLE events (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    connection   TEXT    NOT NULL,
    dedupe       TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    tenant       TEXT    NOT NULL,
    request_id   TEXT    NOT NULL,
    case_id      TEXT    REFERENCES cases (id) ON DELETE CASCADE,
    received_at  INTEGER NOT NULL,
    body         BLOB    NOT NULL,
    content_type TEXT    NOT NULL,
    normal       TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('accepted', 'planned', 'unrouted', 'held')),
    planned_at   INTEGER NOT NULL,
    test         INTEGER NOT NULL CHECK (test IN (0, 1)),
    edited       INTEGER NOT NULL CHECK (edited IN (0, 1))
) STRICT;
CREATE INDEX events_unplanned ON events (seq) WHERE state = 'accepted';
CREATE INDEX events_unrouted ON events (connection) WHERE state = 'unrouted' AND test = 0;
CREATE INDEX events_case ON events (case_id, state, seq);

-- Outlives its event: what was seen once is known for as long as a source may repeat it.
CREATE TABLE dedupes (
    connection TEXT    NOT NULL,
    dedupe     TEXT    NOT NULL,
    event_id   TEXT    NOT NULL,
    seen_at    INTEGER NOT NULL,
    PRIMARY KEY (connection, dedupe)
) STRICT;
CREATE INDEX dedupes_seen ON dedupes (seen_at);

CREATE TABLE quarantine (
    id           TEXT    NOT NULL PRIMARY KEY,
    connection   TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    body         BLOB    NOT NULL,
    content_type TEXT    NOT NULL,
    received_at  INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('waiting', 'replayed', 'discarded')),
    event_id     TEXT    NOT NULL
) STRICT;
CREATE INDEX quarantine_connection ON quarantine (connection, id);
