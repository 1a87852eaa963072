-- The fourth version. Each section is its area's own.
--
-- A server's tables take these statements one by one, by the rules of `postgresql/schema.py`. So columns, tables and
-- indexes are added or dropped, and data is changed in what both databases speak (truth as TRUE and FALSE); no table is
-- laid anew. Triggers and views are SQLite's alone: what a server has instead stands in `postgresql/004-after.sql`, and
-- what it needs before in `004-before.sql`.

-- Kept: what is packed -----------------------------------------------------------------------------------------------

-- Whether the results of its folder are being packed, or are, and what was asked is gone from there.
ALTER TABLE jobs ADD COLUMN folder_packed TEXT CHECK (
    folder_packed IS NULL OR (folder_packed IN ('going', 'gone') AND delivered AND NOT retry_wanted)
);

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

-- Many workers --------------------------------------------------------------------------------------------------------

-- Settings of the installation ----------------------------------------------------------------------------------------

-- What all who work on a database on a server must have the same: by its name in the settings, as it may be shown.
CREATE TABLE agreed_settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Protocol: large batches ---------------------------------------------------------------------------------------------

-- Of a batch that is over, or has not come about yet: what becomes of the rows that are still aboard, which leave some in
-- one commit and the next in another; NULL where none is.
ALTER TABLE batches ADD COLUMN leaving TEXT CHECK (
    leaving IS NULL OR (leaving IN ('waiting', 'resent', 'dropped') AND state IN ('dissolved', 'settled'))
);
CREATE INDEX batches_leaving ON batches (id) WHERE leaving IS NOT NULL;
