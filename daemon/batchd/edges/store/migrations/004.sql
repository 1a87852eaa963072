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

-- Many workers on one database (docs/fleet.md) --------------------------------------------------------------------------

-- Since when the API denies what would tell of a batch: whoever carries it next goes on counting.
ALTER TABLE batches ADD COLUMN denied_since REAL CHECK (state IN ('intended', 'processing') OR denied_since IS NULL);

-- The processes that share the work, each in a slot that a lock of the database guards.
CREATE TABLE workers (
    slot     INTEGER NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL,                              -- of its host, for people
    token    TEXT    NOT NULL,                              -- its connections are known by it
    engine   INTEGER,                                       -- its number in the timetable
    sweeps   INTEGER NOT NULL DEFAULT 0 CHECK (sweeps IN (0, 1)),
    began_at REAL    NOT NULL,
    heard_at REAL    NOT NULL
) STRICT;

-- Calls of the API that workers have taken from the minute's quota, some at a time.
CREATE TABLE calls (
    id      INTEGER PRIMARY KEY,
    account TEXT    NOT NULL,                               -- by whose key they go
    token   TEXT    NOT NULL,                               -- of the worker that makes them
    count   INTEGER NOT NULL CHECK (count > 0),
    over_at REAL                                            -- when they count no more; NULL while any is being made
) STRICT;

-- What keeps batches from being sent, for all workers: trouble with the account, or with what batches have in common.
CREATE TABLE breakers (
    name  TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL                                     -- as JSON
) STRICT;

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
