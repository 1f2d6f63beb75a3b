-- +goose Up
-- A decision whose source has no way to be told stands in the record alone.
ALTER TABLE decisions DROP CONSTRAINT decisions_state_check;
ALTER TABLE decisions ADD CONSTRAINT decisions_state_check CHECK (state IN ('owed', 'posted', 'refused', 'told', 'test', 'kept'));

-- Approvals of late, for sources that are asked whether what was approved came to pass.
CREATE INDEX decisions_approved ON decisions (recorded_at) WHERE outcome = 'approved';
