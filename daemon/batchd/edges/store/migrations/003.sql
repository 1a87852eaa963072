-- The third version: budgets of folders, and what follows in its sections.

-- Money: what a folder may spend in a day -----------------------------------------------------------------------------

-- To whose instructions a job belongs: the folder of the `.batchd.md`, and what that lets all of its jobs cost in a day.
ALTER TABLE jobs ADD COLUMN folder TEXT;
ALTER TABLE jobs ADD COLUMN folder_per_day INTEGER CHECK (
    folder_per_day IS NULL OR (folder_per_day >= 0 AND folder IS NOT NULL)
);
CREATE TABLE folder_days (
    folder         TEXT    NOT NULL,
    day            INTEGER NOT NULL,                        -- since 1970, UTC: that on which a trip's batch was planned
    committed_micro INTEGER NOT NULL,
    committed_pico INTEGER NOT NULL,
    PRIMARY KEY (folder, day)
) STRICT, WITHOUT ROWID;
DROP INDEX jobs_budgeted;
CREATE INDEX jobs_budgeted ON jobs (id)
    WHERE NOT delivered AND (budget IS NOT NULL OR released_up_to IS NOT NULL OR folder_per_day IS NOT NULL);

DROP TRIGGER trip_planned;
DROP TRIGGER trip_charged;
DROP TRIGGER trip_undone;
CREATE TRIGGER trip_planned AFTER INSERT ON trips WHEN NEW.committed <> 0 BEGIN
    UPDATE jobs SET committed_micro = committed_micro + NEW.committed / 1000000,
        committed_pico = committed_pico + NEW.committed % 1000000
        WHERE id = (SELECT job FROM requests WHERE id = NEW.request);
    INSERT INTO folder_days
        SELECT folder, CAST(planned_at / 86400 AS INTEGER), NEW.committed / 1000000, NEW.committed % 1000000
        FROM requests JOIN jobs ON jobs.id = requests.job JOIN batches ON batches.id = NEW.batch
        WHERE requests.id = NEW.request AND folder IS NOT NULL
        ON CONFLICT (folder, day) DO UPDATE SET committed_micro = committed_micro + excluded.committed_micro,
            committed_pico = committed_pico + excluded.committed_pico;
END;
CREATE TRIGGER trip_charged AFTER UPDATE ON trips WHEN NEW.committed <> OLD.committed BEGIN
    UPDATE jobs SET committed_micro = committed_micro + (NEW.committed - OLD.committed) / 1000000,
        committed_pico = committed_pico + (NEW.committed - OLD.committed) % 1000000
        WHERE id = (SELECT job FROM requests WHERE id = NEW.request);
    UPDATE folder_days SET committed_micro = committed_micro + (NEW.committed - OLD.committed) / 1000000,
        committed_pico = committed_pico + (NEW.committed - OLD.committed) % 1000000
        WHERE folder = (SELECT folder FROM requests JOIN jobs ON jobs.id = requests.job WHERE requests.id = NEW.request)
          AND day = (SELECT CAST(planned_at / 86400 AS INTEGER) FROM batches WHERE id = NEW.batch);
END;
-- Not of a job whose rows are pruned: what it has cost stays.
CREATE TRIGGER trip_undone AFTER DELETE ON trips WHEN OLD.committed <> 0
    AND NOT (SELECT rows_pruned FROM jobs WHERE id = (SELECT job FROM requests WHERE id = OLD.request)) BEGIN
    UPDATE jobs SET committed_micro = committed_micro - OLD.committed / 1000000,
        committed_pico = committed_pico - OLD.committed % 1000000
        WHERE id = (SELECT job FROM requests WHERE id = OLD.request);
    UPDATE folder_days SET committed_micro = committed_micro - OLD.committed / 1000000,
        committed_pico = committed_pico - OLD.committed % 1000000
        WHERE folder = (SELECT folder FROM requests JOIN jobs ON jobs.id = requests.job WHERE requests.id = OLD.request)
          AND day = (SELECT CAST(planned_at / 86400 AS INTEGER) FROM batches WHERE id = OLD.batch);
END;

-- Again: amended jobs and steps ---------------------------------------------------------------------------------------

-- The steps of a job, as JSON, and where in its spool file lies what they ask; NULL where all of it was asked at once.
ALTER TABLE jobs ADD COLUMN steps TEXT;
-- How many of them are still to be taken, the one under way included.
ALTER TABLE jobs ADD COLUMN steps_left INTEGER NOT NULL DEFAULT 0 CHECK (
    steps_left >= 0 AND (steps_left = 0 OR steps IS NOT NULL)
);
-- What is not complete of the steps before this one, a person lets the job go on without.
ALTER TABLE jobs ADD COLUMN steps_passed INTEGER NOT NULL DEFAULT 0 CHECK (steps_passed >= 0);
-- Of the step under way, how many entries its list has; NULL before that is known.
ALTER TABLE jobs ADD COLUMN step_entries INTEGER CHECK (step_entries >= 0);
-- Why a step asked nothing at all.
ALTER TABLE jobs ADD COLUMN steps_note TEXT;
-- Why the next step waits for a person, and for which kind of answer.
ALTER TABLE jobs ADD COLUMN step_hold TEXT;
ALTER TABLE jobs ADD COLUMN step_bar TEXT CHECK (
    (step_bar IS NULL) = (step_hold IS NULL) AND (step_bar IS NULL OR step_bar IN ('answers', 'money', 'prompts', 'restored'))
);
-- What is reserved for requests that are still to be made, in picodollars; and whether a list will decide how many there
-- are, so that all that its budget leaves is reserved.
ALTER TABLE jobs ADD COLUMN later INTEGER NOT NULL DEFAULT 0 CHECK (later >= 0);
ALTER TABLE jobs ADD COLUMN later_open INTEGER NOT NULL DEFAULT 0 CHECK (later_open IN (0, 1));
CREATE INDEX jobs_stepping ON jobs (id) WHERE steps_left > 0;
CREATE INDEX jobs_held_by_steps ON jobs (id) WHERE step_hold IS NOT NULL;
-- Of which step a request is; NULL where its job has none.
ALTER TABLE requests ADD COLUMN step INTEGER CHECK (step >= 0);
-- A row that was left out or is new, and became a request later: where it stands among the rows of its job; NULL: there
-- the order is that of ids.
ALTER TABLE requests ADD COLUMN place INTEGER CHECK (place > 0);
-- A row as it was put right; NULL: as the job's file has it.
ALTER TABLE requests ADD COLUMN record TEXT;
CREATE INDEX requests_late ON requests (job, place) WHERE place IS NOT NULL;

-- What was given to put jobs right. Until it is applied its requests lie in the spool, by the name of its claim.
CREATE TABLE amendments (
    claim   TEXT    PRIMARY KEY,
    job     INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number  INTEGER NOT NULL,                               -- of the job's own
    ticket  TEXT    UNIQUE,
    applied INTEGER NOT NULL DEFAULT 0 CHECK (applied IN (0, 1)),
    UNIQUE (job, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX amendments_open ON amendments (job) WHERE NOT applied;

-- What was dropped, in a digest, by which the same again is known.
ALTER TABLE jobs ADD COLUMN digest TEXT;
-- The job that it is the same as, for as long as it is held for that; what a person lets go is held by money as any other.
ALTER TABLE jobs ADD COLUMN twin TEXT CHECK (twin IS NULL OR hold IS NOT NULL);
-- What its user should know of it as a whole.
ALTER TABLE jobs ADD COLUMN caution TEXT;
CREATE INDEX jobs_alike ON jobs (digest) WHERE digest IS NOT NULL;

-- Told: notices -------------------------------------------------------------------------------------------------------

-- The sinks that its file names, as a JSON list.
ALTER TABLE jobs ADD COLUMN notify TEXT;

-- What people and programs are told of: written in the commit of what has happened. A number is never used again, since
-- it is what a receiver knows a notice by.
CREATE TABLE notices (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      REAL    NOT NULL,
    due_at  REAL    NOT NULL,                               -- until then it may turn out to be nothing
    kind    TEXT    NOT NULL,                               -- `batchd.notice.Kind`
    subject TEXT    NOT NULL,
    job     INTEGER REFERENCES jobs (id),
    queue   TEXT,                                           -- NULL where it is about no folder
    about   INTEGER,                                        -- the request by which a job, or the batch that, is held
    data    TEXT    NOT NULL,                               -- codes and counts, as JSON
    state   TEXT    NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'told', 'summed')),
    filed   INTEGER NOT NULL DEFAULT 0 CHECK (filed IN (0, 1)),  -- whether it stands in events.jsonl
    UNIQUE (kind, subject)
) STRICT;
CREATE INDEX notices_new ON notices (due_at) WHERE state = 'new';
CREATE INDEX notices_unfiled ON notices (id) WHERE state = 'told' AND NOT filed;
CREATE INDEX notices_rejected ON notices (queue, at) WHERE kind = 'file.rejected';
CREATE INDEX notices_of_job ON notices (job) WHERE job IS NOT NULL;
CREATE INDEX notices_at ON notices (at);
CREATE TABLE notice_deliveries (
    notice   INTEGER NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
    sink     TEXT    NOT NULL,
    since    REAL    NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at  REAL    NOT NULL,
    done_at  REAL,
    failed   TEXT,                                          -- why it was given up
    said     TEXT,                                          -- why the last attempt was in vain
    PRIMARY KEY (notice, sink)
) STRICT, WITHOUT ROWID;
-- What has come to its end, counted for metrics: it outlives what it counts.
CREATE TABLE counters (
    name  TEXT    NOT NULL,                                 -- job, request, file, defect
    label TEXT    NOT NULL,                                 -- its state, verdict
    queue TEXT    NOT NULL,
    n     INTEGER NOT NULL,
    PRIMARY KEY (name, label, queue)
) STRICT, WITHOUT ROWID;
-- How a job's requests had ended when it last finished, as JSON: they are counted once, though it may finish again.
ALTER TABLE jobs ADD COLUMN counted TEXT;
CREATE INDEX notice_deliveries_due ON notice_deliveries (sink, next_at) WHERE done_at IS NULL AND failed IS NULL;

-- Kept: pauses, pruning, keys -----------------------------------------------------------------------------------------

-- The first folder of a job's name: the queue that its file came in by; '' where it lay in none.
ALTER TABLE jobs ADD COLUMN queue TEXT GENERATED ALWAYS AS (
    CASE WHEN instr(name, '/') > 0 THEN substr(name, 1, instr(name, '/') - 1) ELSE '' END
) VIRTUAL;
-- Whether its requests and trips are being removed, or are gone: what they came to is added to the two tables below.
ALTER TABLE jobs ADD COLUMN rows_pruned INTEGER NOT NULL DEFAULT 0 CHECK (
    rows_pruned IN (0, 1) AND (NOT rows_pruned OR (delivered AND NOT retry_wanted))
);
-- Whether its folder is being removed from the outbox, or is gone. Its name stays taken.
ALTER TABLE jobs ADD COLUMN folder_pruned TEXT CHECK (
    folder_pruned IS NULL OR (folder_pruned IN ('going', 'gone') AND delivered AND NOT retry_wanted)
);

-- What a trip counts for in the sums: an answer; one of unknown cost, by which the sum is unknown; what may yet be charged.
ALTER TABLE trips ADD COLUMN answered INTEGER GENERATED ALWAYS AS (
    CASE WHEN outcome = 'succeeded' THEN 1 ELSE 0 END
) VIRTUAL;
ALTER TABLE trips ADD COLUMN unpriced INTEGER GENERATED ALWAYS AS (
    CASE WHEN outcome NOT IN ('errored', 'expired', 'canceled') AND cost IS NULL THEN 1 ELSE 0 END
) VIRTUAL;
ALTER TABLE trips ADD COLUMN unpriced_standard INTEGER GENERATED ALWAYS AS (
    CASE WHEN outcome NOT IN ('errored', 'expired', 'canceled') AND standard_cost IS NULL THEN 1 ELSE 0 END
) VIRTUAL;
ALTER TABLE trips ADD COLUMN pending INTEGER GENERATED ALWAYS AS (
    CASE WHEN cost IS NOT NULL OR outcome IN ('errored', 'expired', 'canceled') THEN 0 ELSE coalesce(reserved, 0) END
) VIRTUAL;

-- What was spent, rolled up by `rollup.py` in the commit that changes trips: it outlives them. Money is in two parts, as in
-- `jobs`.
CREATE TABLE spent (
    day     INTEGER NOT NULL,                               -- since 1970, UTC: that on which a trip's batch was planned
    sandbox INTEGER NOT NULL CHECK (sandbox IN (0, 1)),     -- a rehearsal, whose figures are no money
    queue   TEXT    NOT NULL,
    model   TEXT    NOT NULL,
    lane    TEXT    NOT NULL,
    trips INTEGER NOT NULL, answers INTEGER NOT NULL, unpriced INTEGER NOT NULL, unpriced_standard INTEGER NOT NULL,
    bounded INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL, cache_write_1h INTEGER NOT NULL, cost_micro INTEGER NOT NULL,
    cost_pico INTEGER NOT NULL, standard_cost_micro INTEGER NOT NULL, standard_cost_pico INTEGER NOT NULL,
    saved_micro INTEGER NOT NULL, saved_pico INTEGER NOT NULL, reserved_micro INTEGER NOT NULL,
    reserved_pico INTEGER NOT NULL,
    PRIMARY KEY (day, sandbox, queue, model, lane)
) STRICT, WITHOUT ROWID;
-- The same by job and batch: in which batches a job has travelled, and what it has come to in each.
CREATE TABLE job_batches (
    batch   INTEGER NOT NULL REFERENCES batches (id),
    job     INTEGER NOT NULL REFERENCES jobs (id),
    trips INTEGER NOT NULL, answers INTEGER NOT NULL, unpriced INTEGER NOT NULL, unpriced_standard INTEGER NOT NULL,
    bounded INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL, cache_write_1h INTEGER NOT NULL, cost_micro INTEGER NOT NULL,
    cost_pico INTEGER NOT NULL, standard_cost_micro INTEGER NOT NULL, standard_cost_pico INTEGER NOT NULL,
    saved_micro INTEGER NOT NULL, saved_pico INTEGER NOT NULL, reserved_micro INTEGER NOT NULL,
    reserved_pico INTEGER NOT NULL,
    PRIMARY KEY (batch, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_batches_of_job ON job_batches (job);
-- How requests have ended that are pruned.
CREATE TABLE kept_verdicts (
    job     INTEGER NOT NULL REFERENCES jobs (id),
    verdict TEXT    NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (job, verdict)
) STRICT, WITHOUT ROWID;

-- Each trip as what it adds to those sums.
CREATE VIEW charges AS SELECT
        trips.batch, row, request, job, CAST(planned_at / 86400 AS INTEGER) AS day, sandbox, queue, model, batches.lane,
        1 AS trips, answered AS answers, unpriced, unpriced_standard, bounded, input_tokens, output_tokens, cache_read,
        cache_write_5m, cache_write_1h, coalesce(cost, 0) / 1000000 AS cost_micro,
        coalesce(cost, 0) % 1000000 AS cost_pico, coalesce(standard_cost, 0) / 1000000 AS standard_cost_micro,
        coalesce(standard_cost, 0) % 1000000 AS standard_cost_pico, coalesce(cache_saved, 0) / 1000000 AS saved_micro,
        coalesce(cache_saved, 0) % 1000000 AS saved_pico, pending / 1000000 AS reserved_micro,
        pending % 1000000 AS reserved_pico
    FROM trips JOIN requests ON requests.id = trips.request JOIN jobs ON jobs.id = requests.job
    JOIN batches ON batches.id = trips.batch;
INSERT INTO spent SELECT day, sandbox, queue, model, lane,
        sum(trips), sum(answers), sum(unpriced), sum(unpriced_standard), sum(bounded), sum(input_tokens),
        sum(output_tokens), sum(cache_read), sum(cache_write_5m), sum(cache_write_1h), sum(cost_micro), sum(cost_pico),
        sum(standard_cost_micro), sum(standard_cost_pico), sum(saved_micro), sum(saved_pico), sum(reserved_micro),
        sum(reserved_pico)
    FROM charges GROUP BY 1, 2, 3, 4, 5;
INSERT INTO job_batches SELECT batch, job,
        sum(trips), sum(answers), sum(unpriced), sum(unpriced_standard), sum(bounded), sum(input_tokens),
        sum(output_tokens), sum(cache_read), sum(cache_write_5m), sum(cache_write_1h), sum(cost_micro), sum(cost_pico),
        sum(standard_cost_micro), sum(standard_cost_pico), sum(saved_micro), sum(saved_pico), sum(reserved_micro),
        sum(reserved_pico)
    FROM charges GROUP BY 1, 2;
DROP TABLE days;                                            -- `spent` has its sums

-- Counted without their rows: how the requests of a job have ended, which travel, which are of which step; and the documents
-- of it that are between two rounds.
CREATE INDEX requests_ended ON requests (job, verdict, reason) WHERE verdict IS NOT NULL;
DROP INDEX requests_travelling;
CREATE INDEX requests_travelling ON requests (batch, job) WHERE batch IS NOT NULL;
CREATE INDEX requests_of_step ON requests (job, step, verdict) WHERE step IS NOT NULL;
CREATE INDEX requests_between ON requests (job, round) WHERE verdict IS NULL AND round > 0;

-- What is not sent until somebody resumes it, or its time is over.
CREATE TABLE pauses (
    folder TEXT PRIMARY KEY,                                -- of the inbox, with all below it; '' for everything
    since  REAL NOT NULL,
    until  REAL,
    by     TEXT NOT NULL,
    reason TEXT
) STRICT, WITHOUT ROWID;

-- Before whom its requests go, and in which hours; NULL: as its folder has it in the settings.
ALTER TABLE jobs ADD COLUMN priority INTEGER;
ALTER TABLE jobs ADD COLUMN hours TEXT;
CREATE INDEX jobs_in_turn ON jobs (id) WHERE NOT delivered AND (priority IS NOT NULL OR hours IS NOT NULL);

-- People: readers, droppers -------------------------------------------------------------------------------------------

-- Of the user who dropped the file; NULL where that is not known.
ALTER TABLE jobs ADD COLUMN uid INTEGER;
