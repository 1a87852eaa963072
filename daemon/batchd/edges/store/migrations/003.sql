-- The third version: budgets of folders, and what follows in its sections.

-- Money: what a folder may spend in a day -----------------------------------------------------------------------------

-- To whose instructions a job belongs: the folder of the `.batchd.md`, and what that lets all of its jobs cost in a day.
ALTER TABLE jobs ADD COLUMN folder TEXT;
ALTER TABLE jobs ADD COLUMN folder_per_day INTEGER CHECK (
    folder_per_day IS NULL OR (folder_per_day >= 0 AND folder IS NOT NULL)
);
CREATE TABLE folder_days (
    folder         TEXT    NOT NULL,
    day            INTEGER NOT NULL,                        -- as in `days`
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
    INSERT INTO days SELECT CAST(planned_at / 86400 AS INTEGER), NEW.committed / 1000000, NEW.committed % 1000000
        FROM batches WHERE id = NEW.batch
        ON CONFLICT (day) DO UPDATE SET committed_micro = committed_micro + excluded.committed_micro,
            committed_pico = committed_pico + excluded.committed_pico;
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
    UPDATE days SET committed_micro = committed_micro + (NEW.committed - OLD.committed) / 1000000,
        committed_pico = committed_pico + (NEW.committed - OLD.committed) % 1000000
        WHERE day = (SELECT CAST(planned_at / 86400 AS INTEGER) FROM batches WHERE id = NEW.batch);
    UPDATE folder_days SET committed_micro = committed_micro + (NEW.committed - OLD.committed) / 1000000,
        committed_pico = committed_pico + (NEW.committed - OLD.committed) % 1000000
        WHERE folder = (SELECT folder FROM requests JOIN jobs ON jobs.id = requests.job WHERE requests.id = NEW.request)
          AND day = (SELECT CAST(planned_at / 86400 AS INTEGER) FROM batches WHERE id = NEW.batch);
END;
CREATE TRIGGER trip_undone AFTER DELETE ON trips WHEN OLD.committed <> 0 BEGIN
    UPDATE jobs SET committed_micro = committed_micro - OLD.committed / 1000000,
        committed_pico = committed_pico - OLD.committed % 1000000
        WHERE id = (SELECT job FROM requests WHERE id = OLD.request);
    UPDATE days SET committed_micro = committed_micro - OLD.committed / 1000000,
        committed_pico = committed_pico - OLD.committed % 1000000
        WHERE day = (SELECT CAST(planned_at / 86400 AS INTEGER) FROM batches WHERE id = OLD.batch);
    UPDATE folder_days SET committed_micro = committed_micro - OLD.committed / 1000000,
        committed_pico = committed_pico - OLD.committed % 1000000
        WHERE folder = (SELECT folder FROM requests JOIN jobs ON jobs.id = requests.job WHERE requests.id = OLD.request)
          AND day = (SELECT CAST(planned_at / 86400 AS INTEGER) FROM batches WHERE id = OLD.batch);
END;

-- Again: amended jobs and steps ---------------------------------------------------------------------------------------

-- Told: notices -------------------------------------------------------------------------------------------------------

-- Kept: pauses, pruning, keys -----------------------------------------------------------------------------------------

-- People: readers, droppers -------------------------------------------------------------------------------------------
