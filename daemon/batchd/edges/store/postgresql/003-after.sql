-- What keeps sums beside the trips, as the triggers and the view of SQLite's migrations do: a test compares what they do.

CREATE FUNCTION day_of(double precision) RETURNS bigint LANGUAGE sql IMMUTABLE AS
    'SELECT CAST(floor($1 / 86400) AS bigint)';

CREATE FUNCTION add_committed(the_request bigint, the_batch bigint, more bigint, begins boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE jobs SET committed_micro = committed_micro + more / 1000000, committed_pico = committed_pico + more % 1000000
        WHERE id = (SELECT job FROM requests WHERE id = the_request);
    IF begins THEN
        INSERT INTO folder_days
            SELECT folder, day_of(planned_at), more / 1000000, more % 1000000
            FROM requests JOIN jobs ON jobs.id = requests.job JOIN batches ON batches.id = the_batch
            WHERE requests.id = the_request AND folder IS NOT NULL
            ON CONFLICT (folder, day) DO UPDATE SET
                committed_micro = folder_days.committed_micro + excluded.committed_micro,
                committed_pico = folder_days.committed_pico + excluded.committed_pico;
    ELSE
        UPDATE folder_days SET committed_micro = committed_micro + more / 1000000,
            committed_pico = committed_pico + more % 1000000
            WHERE folder = (SELECT folder FROM requests JOIN jobs ON jobs.id = requests.job WHERE requests.id = the_request)
              AND day = (SELECT day_of(planned_at) FROM batches WHERE id = the_batch);
    END IF;
END $$;

CREATE FUNCTION trip_planned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_committed(NEW.request, NEW.batch, NEW.committed, TRUE);
    RETURN NULL;
END $$;
CREATE TRIGGER trip_planned AFTER INSERT ON trips FOR EACH ROW WHEN (NEW.committed <> 0)
    EXECUTE FUNCTION trip_planned();

CREATE FUNCTION trip_charged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_committed(NEW.request, NEW.batch, NEW.committed - OLD.committed, FALSE);
    RETURN NULL;
END $$;
CREATE TRIGGER trip_charged AFTER UPDATE ON trips FOR EACH ROW WHEN (NEW.committed <> OLD.committed)
    EXECUTE FUNCTION trip_charged();

-- Not of a job whose rows are pruned: what it has cost stays.
CREATE FUNCTION trip_undone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (SELECT rows_pruned FROM jobs WHERE id = (SELECT job FROM requests WHERE id = OLD.request)) THEN
        PERFORM add_committed(OLD.request, OLD.batch, -OLD.committed, FALSE);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER trip_undone AFTER DELETE ON trips FOR EACH ROW WHEN (OLD.committed <> 0)
    EXECUTE FUNCTION trip_undone();

CREATE FUNCTION family_begun() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO warmings (first, primer) VALUES (NEW.first, NEW.first) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER family_begun AFTER INSERT ON requests FOR EACH ROW WHEN (NEW.first IS NOT NULL)
    EXECUTE FUNCTION family_begun();

CREATE VIEW charges AS SELECT
        trips.batch, row, request, job, day_of(planned_at) AS day, sandbox, queue, model, batches.lane,
        1::bigint AS trips, answered AS answers, unpriced, unpriced_standard, bounded::int::bigint AS bounded,
        input_tokens, output_tokens, cache_read, cache_write_5m, cache_write_1h,
        coalesce(cost, 0) / 1000000 AS cost_micro, coalesce(cost, 0) % 1000000 AS cost_pico,
        coalesce(standard_cost, 0) / 1000000 AS standard_cost_micro,
        coalesce(standard_cost, 0) % 1000000 AS standard_cost_pico,
        coalesce(cache_saved, 0) / 1000000 AS saved_micro, coalesce(cache_saved, 0) % 1000000 AS saved_pico,
        pending / 1000000 AS reserved_micro, pending % 1000000 AS reserved_pico
    FROM trips JOIN requests ON requests.id = trips.request JOIN jobs ON jobs.id = requests.job
    JOIN batches ON batches.id = trips.batch;
