-- The fourth version: what follows in its sections.

-- Kept: several keys --------------------------------------------------------------------------------------------------

-- By whose key a batch goes: the NAME of `[keys.NAME]`, or '' for that of `[api]`. Each may be of another workspace, whose
-- list shows its own batches alone: so a count is taken by account.
ALTER TABLE batches ADD COLUMN account TEXT NOT NULL DEFAULT '';
DROP INDEX batches_unresolved;
CREATE UNIQUE INDEX batches_unresolved ON batches (account, count)
    WHERE state = 'intended' AND NOT gave_back AND lane = 'batch';
-- Two servers may give one id to a batch of each.
DROP INDEX batches_remote;
CREATE UNIQUE INDEX batches_remote ON batches (remote_id, recovered, account) WHERE lane = 'batch';
ALTER TABLE recovered ADD COLUMN account TEXT NOT NULL DEFAULT '';
-- What was looked through is looked through once more: that changes nothing.
DROP TABLE looked_through;
CREATE TABLE looked_through (
    account   TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    PRIMARY KEY (account, remote_id)
) STRICT, WITHOUT ROWID;
