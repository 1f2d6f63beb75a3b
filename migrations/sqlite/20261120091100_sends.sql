-- +goose Up
-- What is due is worked off in its order, ids within the same moment. Records that go to a sink are taken many at a
-- time beside everything else a connection does, so they have an index of their own.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (connection, due, id) WHERE ready = 1 AND state = 'pending' AND kind <> 'send';
CREATE INDEX deliveries_send ON deliveries (connection, due, id) WHERE ready = 1 AND state = 'pending' AND kind = 'send';
