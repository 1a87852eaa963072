-- A batch's row is laid anew: no digest of a body that nobody compared, and CHECKs for what each state carries.
-- It runs with foreign keys off, as SQLite asks where a table is made anew, and they are checked before it commits.

CREATE TABLE new_batches (
    id            INTEGER PRIMARY KEY,
    state         TEXT    NOT NULL CHECK (
        state IN ('planned', 'intended', 'processing', 'ended', 'settled', 'held', 'dissolved')
    ),
    lane          TEXT    NOT NULL DEFAULT 'batch' CHECK (lane IN ('batch', 'sync')),
    betas         TEXT    NOT NULL,                         -- comma-separated, sorted
    version       TEXT,                                     -- of the API, where it is not the current one
    count         INTEGER NOT NULL CHECK (count > 0),
    size          INTEGER NOT NULL CHECK (size > 0),
    nonce         TEXT    NOT NULL UNIQUE,
    attempt       INTEGER NOT NULL DEFAULT 0,
    planned_at    REAL    NOT NULL,
    gave_back     INTEGER NOT NULL DEFAULT 0 CHECK (gave_back IN (0, 1)),
    doubts        INTEGER NOT NULL DEFAULT 0,               -- attempts that nothing was found of: one may still appear
    baseline_id   TEXT,                                     -- of the first attempt, kept for all that follow
    baseline_time REAL,
    origin        TEXT,                                     -- where the create went
    organization  TEXT,                                     -- what the API said of whose key it was
    doubted_at    REAL,
    remote_id     TEXT,
    evidence      TEXT CHECK (evidence IN ('answer', 'count', 'nonce', 'person')),
    submitted_at  REAL,
    expires_at    REAL,
    ended_at      REAL,
    results_url   TEXT,
    next_poll_at  REAL,
    cancelled_at  REAL,
    recovered     INTEGER NOT NULL DEFAULT 0,               -- which adoption of it, after the state was restored
    twin          TEXT,                                     -- a second batch of the API that carries its requests
    lacking       INTEGER CHECK (lacking >= 0),             -- lines that its results lack, as readings agree,
    lacking_since REAL,                                     -- since when
    trouble       TEXT,
    CHECK ((remote_id IS NULL) = (evidence IS NULL)),
    CHECK (state NOT IN ('processing', 'ended') OR remote_id IS NOT NULL),
    CHECK (state <> 'intended' OR (attempt > 0 AND baseline_time IS NOT NULL)),
    -- What a state does not carry is not there: `batchd.lifecycle.CARRIES` says the same, and a test compares the two.
    CHECK (remote_id IS NOT NULL OR coalesce(submitted_at, expires_at, ended_at, next_poll_at, cancelled_at) IS NULL),
    CHECK (remote_id IS NOT NULL OR results_url IS NULL),
    CHECK (state NOT IN ('planned', 'intended', 'dissolved') OR remote_id IS NULL),
    CHECK (state IN ('ended', 'settled', 'held') OR (ended_at IS NULL AND results_url IS NULL)),
    CHECK (state = 'processing' OR next_poll_at IS NULL),
    CHECK (state IN ('intended', 'held') OR doubted_at IS NULL),
    CHECK (state IN ('ended', 'held') OR coalesce(lacking, lacking_since) IS NULL),
    CHECK ((lacking IS NULL) = (lacking_since IS NULL))
) STRICT;

INSERT INTO new_batches (
    id, state, lane, betas, count, size, nonce, attempt, planned_at, gave_back, baseline_id, baseline_time, doubted_at,
    remote_id, evidence, submitted_at, expires_at, ended_at, results_url, next_poll_at, cancelled_at, trouble
)
SELECT
    id, state, lane, betas, count, size, nonce, attempt, planned_at, gave_back, baseline_id, baseline_time,
    iif(state IN ('intended', 'held'), doubted_at, NULL),
    remote_id, evidence,
    iif(remote_id IS NULL, NULL, submitted_at),
    iif(remote_id IS NULL, NULL, expires_at),
    iif(remote_id IS NULL OR state = 'processing', NULL, ended_at),
    iif(remote_id IS NULL OR state = 'processing', NULL, results_url),
    iif(remote_id IS NULL OR state <> 'processing', NULL, next_poll_at),
    iif(remote_id IS NULL, NULL, cancelled_at),
    trouble
FROM batches;

DROP TABLE batches;
ALTER TABLE new_batches RENAME TO batches;

CREATE INDEX batches_unfinished ON batches (state, id) WHERE state NOT IN ('settled', 'dissolved');
-- The count is the only fingerprint that the API's list shows: no batch is sent while another of its count is unresolved.
-- One that had to give back another's comes on top, or two that hold each other's would wait for each other for ever.
CREATE UNIQUE INDEX batches_unresolved ON batches (count)
    WHERE state = 'intended' AND NOT gave_back AND lane = 'batch';
-- One batch of the API answers one intent. What a server calls a message is information, no key.
CREATE UNIQUE INDEX batches_remote ON batches (remote_id, recovered) WHERE lane = 'batch';

-- What is asked of a request beside its parameters, as JSON of what is not the default (`batchd.model.Wishes`).
-- `lane` stays a column beside it, since the queue asks for it.
ALTER TABLE requests ADD COLUMN wishes TEXT NOT NULL DEFAULT '{}';
UPDATE requests SET wishes = '{' || ltrim(
    iif(documents, '', ',"documents":false') || iif(lane = 'batch', '', ',"lane":"sync"') || iif(cache, ',"cache":"auto"', '')
    || iif(files, ',"files":true', '') || coalesce(',"expect":' || expect, ''), ',') || '}'
    WHERE NOT documents OR lane <> 'batch' OR cache OR files OR expect IS NOT NULL;
ALTER TABLE requests DROP COLUMN documents;
ALTER TABLE requests DROP COLUMN expect;
ALTER TABLE requests DROP COLUMN cache;
-- `filed` was held against `files`, which goes.
ALTER TABLE requests RENAME COLUMN filed TO filed_before;
ALTER TABLE requests ADD COLUMN filed TEXT;                 -- what became of its files
UPDATE requests SET filed = filed_before WHERE filed_before IS NOT NULL;
ALTER TABLE requests DROP COLUMN filed_before;
ALTER TABLE requests DROP COLUMN files;

-- The version of the API by which a request must go; NULL for the current one.
ALTER TABLE requests ADD COLUMN version TEXT;

-- How often a request was put on a trip: with it, the id that goes over the wire names one sending of one request.
ALTER TABLE requests ADD COLUMN sendings INTEGER NOT NULL DEFAULT 0;
UPDATE requests SET sendings = (SELECT count(*) FROM trips WHERE request = requests.id);
-- Which of its request's sendings a trip is; 0 of those that were planned before.
ALTER TABLE trips ADD COLUMN sending INTEGER NOT NULL DEFAULT 0;

-- What tells this installation's requests from all others at the API, for as long as this database lives.
INSERT INTO facts (name, value) VALUES ('installation', lower(hex(randomblob(10))));

-- What keeps one thing from being done: for `batchd status`, for `held.json`, and for the pace of a restarted daemon.
CREATE TABLE troubles (
    work   TEXT NOT NULL,                                   -- what could not be done: `batchd.model.Work`
    thing  TEXT NOT NULL,                                   -- to which file, job, request or batch: its id
    name   TEXT NOT NULL,                                   -- what a person calls it
    job    INTEGER REFERENCES jobs (id),                    -- whose it is, where that is one job's
    since  REAL NOT NULL,
    reason TEXT NOT NULL,
    defect INTEGER NOT NULL CHECK (defect IN (0, 1)),
    PRIMARY KEY (work, thing)
) STRICT, WITHOUT ROWID;

-- Arrival ----------------------------------------------------------------------------------------------------------------

-- The commit that accepts a file is its job's row, with the first of its requests; the others follow in commits of their
-- own. Their ids are one after the other from `first_request` on, in the order of the file, and are nobody else's.
ALTER TABLE jobs ADD COLUMN first_request INTEGER;
ALTER TABLE jobs ADD COLUMN missing INTEGER NOT NULL DEFAULT 0 CHECK (
    missing BETWEEN 0 AND total AND (missing = 0 OR (first_request IS NOT NULL AND finished_at IS NULL))
);
CREATE INDEX jobs_arriving ON jobs (id) WHERE missing > 0;

-- What whoever dropped the file called it, so that the same drop twice is one job.
ALTER TABLE jobs ADD COLUMN ticket TEXT;
CREATE UNIQUE INDEX jobs_ticket ON jobs (ticket) WHERE ticket IS NOT NULL;

-- Again ----------------------------------------------------------------------------------------------------------------

-- Which requests of a finished job a person wants sent again: on from where they are, or anew, though they were paid for.
ALTER TABLE requests ADD COLUMN again TEXT CHECK (again IN ('on', 'anew'));
CREATE INDEX requests_again ON requests (job) WHERE again IS NOT NULL;
UPDATE requests SET again = 'on' WHERE job IN (SELECT id FROM jobs WHERE retry_wanted)
    AND verdict IN ('errored', 'expired', 'canceled')
    AND NOT EXISTS (SELECT 1 FROM trips WHERE request = requests.id AND outcome IN ('dropped', 'lost'));
-- What was asked at first of a request that was continued: max_tokens, betas, rounds, allowance and worst, as JSON.
ALTER TABLE requests ADD COLUMN asked TEXT;
-- The first of its sendings whose answers count: those before are superseded.
ALTER TABLE requests ADD COLUMN counts_from INTEGER NOT NULL DEFAULT 0;

-- Money ----------------------------------------------------------------------------------------------------------------

-- How far a person has let a job go: in all, in picodollars; NULL where `released` means whatever it costs.
ALTER TABLE jobs ADD COLUMN released_up_to INTEGER CHECK (released_up_to >= 0);
-- What the request that a job is held by may cost to be sent after all; NULL where no cost would do.
ALTER TABLE jobs ADD COLUMN hold_room INTEGER CHECK (hold_room >= 0);

-- What a trip counts for in every budget: its worst case until its cost is known. Only these results cost nothing.
ALTER TABLE trips ADD COLUMN committed INTEGER GENERATED ALWAYS AS (
    coalesce(cost, iif(outcome IN ('errored', 'expired', 'canceled'), 0, reserved), 0)
) VIRTUAL;

-- Sums of it, kept beside the trips, of which there may be millions. In two parts, since more than nine million dollars in
-- picodollars are no INTEGER: whole microdollars, and the picodollars beside them.
ALTER TABLE jobs ADD COLUMN committed_micro INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN committed_pico INTEGER NOT NULL DEFAULT 0;
CREATE TABLE days (
    day            INTEGER PRIMARY KEY,                     -- since 1970, UTC: that on which a trip's batch was planned
    committed_micro INTEGER NOT NULL,
    committed_pico INTEGER NOT NULL
) STRICT;

UPDATE jobs SET (committed_micro, committed_pico) = (
    SELECT coalesce(sum(committed / 1000000), 0), coalesce(sum(committed % 1000000), 0)
    FROM requests JOIN trips ON trips.request = requests.id WHERE requests.job = jobs.id
);
INSERT INTO days SELECT CAST(planned_at / 86400 AS INTEGER), sum(committed / 1000000), sum(committed % 1000000)
    FROM trips JOIN batches ON batches.id = trips.batch GROUP BY 1;

CREATE TRIGGER trip_planned AFTER INSERT ON trips WHEN NEW.committed <> 0 BEGIN
    UPDATE jobs SET committed_micro = committed_micro + NEW.committed / 1000000,
        committed_pico = committed_pico + NEW.committed % 1000000
        WHERE id = (SELECT job FROM requests WHERE id = NEW.request);
    INSERT INTO days SELECT CAST(planned_at / 86400 AS INTEGER), NEW.committed / 1000000, NEW.committed % 1000000
        FROM batches WHERE id = NEW.batch
        ON CONFLICT (day) DO UPDATE SET committed_micro = committed_micro + excluded.committed_micro,
            committed_pico = committed_pico + excluded.committed_pico;
END;
CREATE TRIGGER trip_charged AFTER UPDATE ON trips WHEN NEW.committed <> OLD.committed BEGIN
    UPDATE jobs SET committed_micro = committed_micro + (NEW.committed - OLD.committed) / 1000000,
        committed_pico = committed_pico + (NEW.committed - OLD.committed) % 1000000
        WHERE id = (SELECT job FROM requests WHERE id = NEW.request);
    UPDATE days SET committed_micro = committed_micro + (NEW.committed - OLD.committed) / 1000000,
        committed_pico = committed_pico + (NEW.committed - OLD.committed) % 1000000
        WHERE day = (SELECT CAST(planned_at / 86400 AS INTEGER) FROM batches WHERE id = NEW.batch);
END;
CREATE TRIGGER trip_undone AFTER DELETE ON trips WHEN OLD.committed <> 0 BEGIN
    UPDATE jobs SET committed_micro = committed_micro - OLD.committed / 1000000,
        committed_pico = committed_pico - OLD.committed % 1000000
        WHERE id = (SELECT job FROM requests WHERE id = OLD.request);
    UPDATE days SET committed_micro = committed_micro - OLD.committed / 1000000,
        committed_pico = committed_pico - OLD.committed % 1000000
        WHERE day = (SELECT CAST(planned_at / 86400 AS INTEGER) FROM batches WHERE id = OLD.batch);
END;

-- Asked at every look of the packer, over all requests that wait.
CREATE INDEX requests_promised ON requests (job, worst) WHERE promised AND batch IS NULL AND verdict IS NULL;
CREATE INDEX requests_budgeted ON requests (job) WHERE verdict IS NULL AND budget IS NOT NULL;
CREATE INDEX jobs_budgeted ON jobs (id) WHERE NOT delivered AND (budget IS NOT NULL OR released_up_to IS NOT NULL);
-- By which `costs` finds the trips of its days.
CREATE INDEX batches_planned ON batches (planned_at);

-- Requests that share a beginning, by the one that was chosen to go first: who goes first now, and how long the cache is
-- warm. Before that, no other of them leaves.
CREATE TABLE warmings (
    first      INTEGER PRIMARY KEY,
    primer     INTEGER NOT NULL,                            -- no foreign key: it may be one that is to follow
    tried      INTEGER NOT NULL DEFAULT 1 CHECK (tried > 0),  -- how many have gone first since it was last warm
    warm_until REAL                                           -- NULL: nobody has warmed it yet
) STRICT;
INSERT INTO warmings (first, primer)
    SELECT DISTINCT first, first FROM requests WHERE first IN (SELECT id FROM requests);
CREATE INDEX requests_of_family ON requests (first) WHERE first IS NOT NULL;
CREATE INDEX requests_behind ON requests (first, id)
    WHERE first IS NOT NULL AND batch IS NULL AND verdict IS NULL AND round = 0;
CREATE TRIGGER family_begun AFTER INSERT ON requests WHEN NEW.first IS NOT NULL BEGIN
    INSERT OR IGNORE INTO warmings (first, primer) VALUES (NEW.first, NEW.first);
END;

-- Whether its output tokens are a bound: of a stream that was cut before they were told.
ALTER TABLE trips ADD COLUMN bounded INTEGER NOT NULL DEFAULT 0 CHECK (bounded IN (0, 1));

-- What the API has of requests that a restored state does not know to have been sent: found by `run --restored`.
CREATE TABLE recovered (
    request     INTEGER NOT NULL,
    sending     INTEGER NOT NULL,
    remote_id   TEXT    NOT NULL,
    created_at  REAL    NOT NULL,
    ended_at    REAL,
    results_url TEXT,
    PRIMARY KEY (request, sending)
) STRICT, WITHOUT ROWID;
CREATE TABLE looked_through (remote_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- Refusals ---------------------------------------------------------------------------------------------------------------

-- Batches whose create was refused: alike to two that share no request, it is not about a request.
CREATE TABLE refusals (
    batch   INTEGER PRIMARY KEY REFERENCES batches (id),
    parent  INTEGER REFERENCES batches (id),                -- the batch whose half it is
    betas   TEXT NOT NULL,
    digest  TEXT NOT NULL,                                  -- of what the API said
    refuted INTEGER NOT NULL DEFAULT 0 CHECK (refuted IN (0, 1))  -- whether a batch like it was taken since
) STRICT;
CREATE INDEX refusals_like ON refusals (betas);

-- How the rows of a job stand in its file, as JSON; NULL where its requests are no rows.
ALTER TABLE jobs ADD COLUMN rows TEXT;

-- What a batch has sent that was dissolved although an attempt to create it was given up: that may still show.
CREATE TABLE given_up (
    batch   INTEGER NOT NULL REFERENCES batches (id),
    request INTEGER NOT NULL REFERENCES requests (id),
    sending INTEGER NOT NULL,
    PRIMARY KEY (request, batch)
) STRICT, WITHOUT ROWID;

-- Whether the sandbox answers it: a rehearsal, whose figures are no money.
ALTER TABLE jobs ADD COLUMN sandbox INTEGER NOT NULL DEFAULT 0 CHECK (sandbox IN (0, 1));
UPDATE jobs SET sandbox = EXISTS (SELECT 1 FROM facts WHERE name = 'api' AND value = 'sandbox');

-- Requests that were left out when the file was taken, for what is wrong with them alone.
ALTER TABLE jobs ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0 CHECK (rejected >= 0);
