-- Made by commit 4739ae0, `batchd run` with an API that could not be reached.
BEGIN TRANSACTION;
CREATE TABLE batches (
    id            INTEGER PRIMARY KEY,
    state         TEXT    NOT NULL CHECK (
        state IN ('planned', 'intended', 'processing', 'ended', 'settled', 'held', 'dissolved')
    ),
    lane          TEXT    NOT NULL DEFAULT 'batch' CHECK (lane IN ('batch', 'sync')),
    betas         TEXT    NOT NULL,                         -- comma-separated, sorted
    count         INTEGER NOT NULL CHECK (count > 0),
    size          INTEGER NOT NULL CHECK (size > 0),
    nonce         TEXT    NOT NULL UNIQUE,
    attempt       INTEGER NOT NULL DEFAULT 0,
    planned_at    REAL    NOT NULL,
    body_sha256   TEXT,
    baseline_id   TEXT,
    baseline_time REAL,
    doubted_at    REAL,
    gave_back     INTEGER NOT NULL DEFAULT 0 CHECK (gave_back IN (0, 1)),
    remote_id     TEXT UNIQUE,                              -- one batch of the API answers one intent
    evidence      TEXT CHECK (evidence IN ('answer', 'count', 'nonce', 'person')),
    submitted_at  REAL,
    expires_at    REAL,
    ended_at      REAL,
    results_url   TEXT,
    next_poll_at  REAL,
    cancelled_at  REAL,
    trouble       TEXT,
    CHECK ((remote_id IS NULL) = (evidence IS NULL)),
    CHECK (state NOT IN ('planned', 'intended', 'dissolved') OR remote_id IS NULL),
    CHECK (state NOT IN ('processing', 'ended') OR remote_id IS NOT NULL),
    CHECK (state <> 'intended' OR (attempt > 0 AND body_sha256 IS NOT NULL AND baseline_time IS NOT NULL))
) STRICT;
INSERT INTO "batches" VALUES(1,'planned','batch','',2,403,'32wa54tcz3y3p7hs',0,1.79572808984125137331e+09,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'the API did not answer (ConnectError)');
CREATE TABLE disproved (
    batch     INTEGER NOT NULL REFERENCES batches (id),
    remote_id TEXT    NOT NULL,                             -- its results have shown that it is another's
    PRIMARY KEY (batch, remote_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "facts" VALUES('api','api');
CREATE TABLE jobs (
    id             INTEGER PRIMARY KEY,
    claim          TEXT    NOT NULL UNIQUE,                 -- one claimed file is one job, however often it is read
    name           TEXT    NOT NULL UNIQUE COLLATE NOCASE,  -- its folder in the outbox
    source         TEXT    NOT NULL,
    received_at    REAL    NOT NULL,
    total          INTEGER NOT NULL CHECK (total > 0),
    finished_at    REAL,
    delivered      INTEGER NOT NULL DEFAULT 0 CHECK (delivered IN (0, 1) AND (NOT delivered OR finished_at IS NOT NULL)),
    cancel_wanted  INTEGER NOT NULL DEFAULT 0 CHECK (cancel_wanted IN (0, 1)),
    retry_wanted   INTEGER NOT NULL DEFAULT 0 CHECK (retry_wanted IN (0, 1)),
    results_length INTEGER NOT NULL DEFAULT 0 CHECK (results_length >= 0),
    budget         INTEGER CHECK (budget >= 0),             -- of the job's own; NULL: what the settings say
    cache          TEXT,                                    -- what was decided about the prompt cache
    hold           TEXT,                                    -- why nothing more of it is sent
    held_from      INTEGER CHECK ((held_from IS NULL) = (hold IS NULL)),  -- the first request that waits for money
    hold_until     REAL CHECK (hold_until IS NULL OR hold IS NOT NULL),
    released       INTEGER NOT NULL DEFAULT 0 CHECK (released IN (0, 1))
) STRICT;
INSERT INTO "jobs" VALUES(1,'01a219bc224a-0f180fe25aaf','orders','orders.jsonl',1.79572808973838758464e+09,2,NULL,0,0,0,0,5000000000000,NULL,NULL,NULL,NULL,0);
CREATE TABLE requests (
    id         INTEGER PRIMARY KEY,
    job        INTEGER NOT NULL REFERENCES jobs (id),
    custom_id  TEXT    NOT NULL CHECK (custom_id <> ''),
    name       TEXT    NOT NULL COLLATE NOCASE,             -- of its document, without the ending
    model      TEXT    NOT NULL,
    max_tokens INTEGER NOT NULL CHECK (max_tokens > 0),
    betas      TEXT    NOT NULL,
    documents  INTEGER NOT NULL CHECK (documents IN (0, 1)),
    files      INTEGER NOT NULL DEFAULT 0 CHECK (files IN (0, 1)),  -- whether its answer consists of files
    offset     INTEGER NOT NULL CHECK (offset >= 0),        -- of its params in the job's spool file
    size       INTEGER NOT NULL CHECK (size > 0),
    since      REAL    NOT NULL,                            -- when it began to wait
    cohort     TEXT    NOT NULL DEFAULT '',
    worst      INTEGER CHECK (worst >= 0),                  -- what it can still cost; NULL: its price is not known
    counted    INTEGER NOT NULL DEFAULT 0 CHECK (counted IN (0, 1)),  -- whether the API has counted its tokens for that
    budget     INTEGER CHECK (budget >= 0),
    rounds     INTEGER NOT NULL DEFAULT 0 CHECK (rounds >= 0),     -- how many times it may still be continued
    allowance  INTEGER NOT NULL DEFAULT 0 CHECK (allowance >= 0),  -- tokens that those rounds may write together
    promised   INTEGER NOT NULL DEFAULT 0 CHECK (promised IN (0, 1)),  -- whether `worst` stays reserved between two rounds
    round      INTEGER NOT NULL DEFAULT 0 CHECK (round >= 0),      -- how many parts of its document are written
    sent_offset INTEGER,                                           -- of a further round's params; NULL: the first's
    sent_size   INTEGER,
    expect     TEXT,
    lane       TEXT    NOT NULL DEFAULT 'batch' CHECK (lane IN ('batch', 'sync')),
    cache      INTEGER NOT NULL DEFAULT 0 CHECK (cache IN (0, 1)),
    -- The request that goes before it, or is it itself. No foreign key: one that is deferred looks for children at each row.
    first      INTEGER,
    forgiven   INTEGER NOT NULL DEFAULT 0,                  -- trips that `batchd retry` does not count
    batch      INTEGER REFERENCES batches (id),             -- the trip it is on; NULL: it waits, or has its verdict
    verdict    TEXT CHECK (
        verdict IN ('complete', 'truncated', 'short', 'refused', 'paused', 'errored', 'expired', 'canceled')
    ),
    stop_reason TEXT,
    reason      TEXT,
    document    TEXT,
    sections    TEXT,
    filed       TEXT CHECK (filed IS NULL OR files),        -- what became of its files
    CHECK (batch IS NULL OR verdict IS NULL),
    CHECK ((sent_offset IS NULL) = (sent_size IS NULL)),
    UNIQUE (job, custom_id),
    UNIQUE (job, name)
) STRICT;
INSERT INTO "requests" VALUES(1,1,'first','first','claude-haiku-4-5',300,'',1,0,0,104,1.79572808973838758464e+09,'',802000000,0,NULL,0,0,0,0,NULL,NULL,NULL,'batch',0,NULL,0,1,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "requests" VALUES(2,1,'second','second','claude-haiku-4-5',300,'',1,0,105,107,1.79572808973838758464e+09,'',803500000,0,NULL,0,0,0,0,NULL,NULL,NULL,'batch',0,NULL,0,1,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE trips (
    batch          INTEGER NOT NULL REFERENCES batches (id),
    row            INTEGER NOT NULL CHECK (row >= 0),
    request        INTEGER NOT NULL REFERENCES requests (id),
    outcome        TEXT,                                    -- the type of its result; NULL while under way
    stop_reason    TEXT,
    input_tokens   INTEGER NOT NULL DEFAULT 0,
    output_tokens  INTEGER NOT NULL DEFAULT 0,
    cache_read     INTEGER NOT NULL DEFAULT 0,
    cache_write_5m INTEGER NOT NULL DEFAULT 0,
    cache_write_1h INTEGER NOT NULL DEFAULT 0,
    reserved       INTEGER,                                 -- the worst case, until the outcome is known
    cost           INTEGER,
    standard_cost  INTEGER,
    cache_saved    INTEGER,                                 -- what the prompt cache made it cheaper by; may be negative
    PRIMARY KEY (batch, row)
) STRICT, WITHOUT ROWID;
INSERT INTO "trips" VALUES(1,0,1,NULL,NULL,0,0,0,0,0,802000000,NULL,NULL,NULL);
INSERT INTO "trips" VALUES(1,1,2,NULL,NULL,0,0,0,0,0,803500000,NULL,NULL,NULL);
CREATE INDEX jobs_open ON jobs (id) WHERE NOT delivered;
CREATE INDEX jobs_held ON jobs (id) WHERE hold IS NOT NULL;
CREATE INDEX jobs_wanted ON jobs (id) WHERE retry_wanted;
CREATE INDEX batches_unfinished ON batches (state, id) WHERE state NOT IN ('settled', 'dissolved');
CREATE UNIQUE INDEX batches_unresolved ON batches (count)
    WHERE state = 'intended' AND NOT gave_back AND lane = 'batch';
CREATE INDEX requests_travelling ON requests (batch) WHERE batch IS NOT NULL;
CREATE INDEX requests_waiting ON requests (id) WHERE batch IS NULL AND verdict IS NULL;
CREATE INDEX requests_open ON requests (job) WHERE verdict IS NULL;
CREATE INDEX trips_of_request ON trips (request);
CREATE UNIQUE INDEX trips_under_way ON trips (request) WHERE outcome IS NULL;
COMMIT;
PRAGMA user_version = 1;
