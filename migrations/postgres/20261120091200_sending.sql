-- +goose Up
-- Records for a sink that are under way, and the lease they were claimed under. What is claimed by the thousand has a narrow
-- row here and stays as it is in deliveries, pending to look at, where a claim would write the whole row and most of its
-- indexes a second time. record_id is the delivery's; a foreign key would look each of them up once more.
CREATE TABLE sending (
    record_id TEXT COLLATE "C" PRIMARY KEY,
    sink      TEXT COLLATE "C" NOT NULL,
    epoch     BIGINT NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
INSERT INTO sending (record_id, sink, epoch)
    SELECT id, connection, epoch FROM deliveries WHERE state = 'running' AND kind = 'send';
UPDATE deliveries SET state = 'pending', attempts = attempts - 1 WHERE state = 'running' AND kind = 'send';
-- A program built before would claim a second time what is under way.
UPDATE schema_compatibility SET min_version = 20261120091200;
