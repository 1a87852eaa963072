
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE SCHEMA batchd;

COMMENT ON SCHEMA batchd IS '6baec8a28c23c2f8ff805ce4087c42f0088eed2ee3c83b25ce0d7266fd348509';

CREATE COLLATION batchd.nocase (provider = icu, deterministic = false, locale = 'und-u-ks-level2');

CREATE FUNCTION batchd.add_committed(the_request bigint, the_batch bigint, more bigint, begins boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION batchd.day_of(double precision) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $_$SELECT CAST(floor($1 / 86400) AS bigint)$_$;

CREATE FUNCTION batchd.family_begun() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO warmings (first, primer) VALUES (NEW.first, NEW.first) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION batchd.iif(boolean, anycompatible, anycompatible) RETURNS anycompatible
    LANGUAGE sql IMMUTABLE
    AS $_$SELECT CASE WHEN $1 THEN $2 ELSE $3 END$_$;

CREATE FUNCTION batchd.instr(text, text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT
    AS $_$SELECT strpos($1 COLLATE "C", $2 COLLATE "C")$_$;

CREATE FUNCTION batchd.json_array(bigint, text, bigint, bigint, bigint) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $_$SELECT json_build_array($1, $2, $3, $4, $5)::text$_$;

CREATE FUNCTION batchd.json_array_length(text, text) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT
    AS $_$SELECT json_array_length($1::json -> substr($2, 3))::bigint$_$;

CREATE FUNCTION batchd.json_each(text, OUT key bigint, OUT value text) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE STRICT
    AS $_$SELECT n - 1, v FROM json_array_elements_text($1::json) WITH ORDINALITY AS each (v, n)$_$;

CREATE FUNCTION batchd.json_member(text, integer) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    AS $_$SELECT $1::json ->> $2$_$;

CREATE FUNCTION batchd.json_member(text, text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    AS $_$SELECT $1::json ->> $2$_$;

CREATE FUNCTION batchd.list_text(anycompatiblearray) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $_$SELECT coalesce(array_to_json($1)::text, '[]')$_$;

CREATE FUNCTION batchd.max(anycompatible, anycompatible) RETURNS anycompatible
    LANGUAGE sql IMMUTABLE
    AS $_$SELECT CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE greatest($1, $2) END$_$;

CREATE FUNCTION batchd.total_of(double precision, double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    AS $_$SELECT $1 + coalesce($2, 0)$_$;

CREATE FUNCTION batchd.trip_charged() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM add_committed(NEW.request, NEW.batch, NEW.committed - OLD.committed, FALSE);
    RETURN NULL;
END $$;

CREATE FUNCTION batchd.trip_planned() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM add_committed(NEW.request, NEW.batch, NEW.committed, TRUE);
    RETURN NULL;
END $$;

CREATE FUNCTION batchd.trip_undone() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT (SELECT rows_pruned FROM jobs WHERE id = (SELECT job FROM requests WHERE id = OLD.request)) THEN
        PERFORM add_committed(OLD.request, OLD.batch, -OLD.committed, FALSE);
    END IF;
    RETURN NULL;
END $$;

CREATE AGGREGATE batchd.json_group_array(anycompatible) (
    SFUNC = array_append,
    STYPE = anycompatiblearray,
    INITCOND = '{}',
    FINALFUNC = batchd.list_text
);

CREATE AGGREGATE batchd.max(boolean) (
    SFUNC = boolor_statefunc,
    STYPE = boolean
);

CREATE AGGREGATE batchd.min(boolean) (
    SFUNC = booland_statefunc,
    STYPE = boolean
);

CREATE AGGREGATE batchd.total(double precision) (
    SFUNC = batchd.total_of,
    STYPE = double precision,
    INITCOND = '0'
);

CREATE OPERATOR batchd.->> (
    FUNCTION = batchd.json_member,
    LEFTARG = text,
    RIGHTARG = integer
);

CREATE OPERATOR batchd.->> (
    FUNCTION = batchd.json_member,
    LEFTARG = text,
    RIGHTARG = text
);

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE batchd.amendments (
    claim text NOT NULL,
    job bigint NOT NULL,
    number bigint NOT NULL,
    ticket text,
    applied boolean DEFAULT false NOT NULL,
    CONSTRAINT amendments_check CHECK (true)
);

CREATE TABLE batchd.batches (
    id bigint NOT NULL,
    state text NOT NULL,
    lane text DEFAULT 'batch'::text NOT NULL,
    betas text NOT NULL,
    version text,
    count bigint NOT NULL,
    size bigint NOT NULL,
    nonce text NOT NULL,
    attempt bigint DEFAULT 0 NOT NULL,
    planned_at double precision NOT NULL,
    gave_back boolean DEFAULT false NOT NULL,
    doubts bigint DEFAULT 0 NOT NULL,
    baseline_id text,
    baseline_time double precision,
    origin text,
    organization text,
    doubted_at double precision,
    remote_id text,
    evidence text,
    submitted_at double precision,
    expires_at double precision,
    ended_at double precision,
    results_url text,
    next_poll_at double precision,
    cancelled_at double precision,
    recovered bigint DEFAULT 0 NOT NULL,
    twin text,
    lacking bigint,
    lacking_since double precision,
    trouble text,
    CONSTRAINT batches_check CHECK (true),
    CONSTRAINT batches_check1 CHECK (((remote_id IS NULL) = (evidence IS NULL))),
    CONSTRAINT batches_check10 CHECK (((state = ANY (ARRAY['ended'::text, 'held'::text])) OR (COALESCE((lacking)::double precision, lacking_since) IS NULL))),
    CONSTRAINT batches_check11 CHECK (((lacking IS NULL) = (lacking_since IS NULL))),
    CONSTRAINT batches_check2 CHECK (((state <> ALL (ARRAY['processing'::text, 'ended'::text])) OR (remote_id IS NOT NULL))),
    CONSTRAINT batches_check3 CHECK (((state <> 'intended'::text) OR ((attempt > 0) AND (baseline_time IS NOT NULL)))),
    CONSTRAINT batches_check4 CHECK (((remote_id IS NOT NULL) OR (COALESCE(submitted_at, expires_at, ended_at, next_poll_at, cancelled_at) IS NULL))),
    CONSTRAINT batches_check5 CHECK (((remote_id IS NOT NULL) OR (results_url IS NULL))),
    CONSTRAINT batches_check6 CHECK (((state <> ALL (ARRAY['planned'::text, 'intended'::text, 'dissolved'::text])) OR (remote_id IS NULL))),
    CONSTRAINT batches_check7 CHECK (((state = ANY (ARRAY['ended'::text, 'settled'::text, 'held'::text])) OR ((ended_at IS NULL) AND (results_url IS NULL)))),
    CONSTRAINT batches_check8 CHECK (((state = 'processing'::text) OR (next_poll_at IS NULL))),
    CONSTRAINT batches_check9 CHECK (((state = ANY (ARRAY['intended'::text, 'held'::text])) OR (doubted_at IS NULL))),
    CONSTRAINT batches_count_check CHECK ((count > 0)),
    CONSTRAINT batches_evidence_check CHECK ((evidence = ANY (ARRAY['answer'::text, 'count'::text, 'nonce'::text, 'person'::text]))),
    CONSTRAINT batches_lacking_check CHECK ((lacking >= 0)),
    CONSTRAINT batches_lane_check CHECK ((lane = ANY (ARRAY['batch'::text, 'sync'::text]))),
    CONSTRAINT batches_size_check CHECK ((size > 0)),
    CONSTRAINT batches_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'intended'::text, 'processing'::text, 'ended'::text, 'settled'::text, 'held'::text, 'dissolved'::text])))
);

ALTER TABLE batchd.batches ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME batchd.batches_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE batchd.jobs (
    id bigint NOT NULL,
    claim text NOT NULL,
    name text NOT NULL COLLATE batchd.nocase,
    source text NOT NULL,
    received_at double precision NOT NULL,
    total bigint NOT NULL,
    finished_at double precision,
    delivered boolean DEFAULT false NOT NULL,
    cancel_wanted boolean DEFAULT false NOT NULL,
    retry_wanted boolean DEFAULT false NOT NULL,
    results_length bigint DEFAULT 0 NOT NULL,
    budget bigint,
    cache text,
    hold text,
    held_from bigint,
    hold_until double precision,
    released boolean DEFAULT false NOT NULL,
    first_request bigint,
    missing bigint DEFAULT 0 NOT NULL,
    ticket text,
    released_up_to bigint,
    hold_room bigint,
    committed_micro bigint DEFAULT 0 NOT NULL,
    committed_pico bigint DEFAULT 0 NOT NULL,
    rows text,
    sandbox boolean DEFAULT false NOT NULL,
    rejected bigint DEFAULT 0 NOT NULL,
    folder text,
    folder_per_day bigint,
    steps text,
    steps_left bigint DEFAULT 0 NOT NULL,
    steps_passed bigint DEFAULT 0 NOT NULL,
    step_entries bigint,
    steps_note text,
    step_hold text,
    step_bar text,
    later bigint DEFAULT 0 NOT NULL,
    later_open boolean DEFAULT false NOT NULL,
    digest text,
    twin text,
    caution text,
    notify text,
    counted text,
    queue text GENERATED ALWAYS AS (
CASE
    WHEN (batchd.instr(name, '/'::text) > 0) THEN substr(name, 1, (batchd.instr(name, '/'::text) - 1))
    ELSE ''::text
END) STORED,
    rows_pruned boolean DEFAULT false NOT NULL,
    folder_pruned text,
    priority bigint,
    hours text,
    uid bigint,
    CONSTRAINT jobs_budget_check CHECK ((budget >= 0)),
    CONSTRAINT jobs_check CHECK ((true AND ((NOT delivered) OR (finished_at IS NOT NULL)))),
    CONSTRAINT jobs_check1 CHECK (true),
    CONSTRAINT jobs_check10 CHECK ((((step_bar IS NULL) = (step_hold IS NULL)) AND ((step_bar IS NULL) OR (step_bar = ANY (ARRAY['answers'::text, 'money'::text, 'prompts'::text, 'restored'::text]))))),
    CONSTRAINT jobs_check11 CHECK (true),
    CONSTRAINT jobs_check12 CHECK (((twin IS NULL) OR (hold IS NOT NULL))),
    CONSTRAINT jobs_check13 CHECK ((true AND ((NOT rows_pruned) OR (delivered AND (NOT retry_wanted))))),
    CONSTRAINT jobs_check14 CHECK (((folder_pruned IS NULL) OR ((folder_pruned = ANY (ARRAY['going'::text, 'gone'::text])) AND delivered AND (NOT retry_wanted)))),
    CONSTRAINT jobs_check2 CHECK (true),
    CONSTRAINT jobs_check3 CHECK (((held_from IS NULL) = (hold IS NULL))),
    CONSTRAINT jobs_check4 CHECK (((hold_until IS NULL) OR (hold IS NOT NULL))),
    CONSTRAINT jobs_check5 CHECK (true),
    CONSTRAINT jobs_check6 CHECK ((((missing >= 0) AND (missing <= total)) AND ((missing = 0) OR ((first_request IS NOT NULL) AND (finished_at IS NULL))))),
    CONSTRAINT jobs_check7 CHECK (true),
    CONSTRAINT jobs_check8 CHECK (((folder_per_day IS NULL) OR ((folder_per_day >= 0) AND (folder IS NOT NULL)))),
    CONSTRAINT jobs_check9 CHECK (((steps_left >= 0) AND ((steps_left = 0) OR (steps IS NOT NULL)))),
    CONSTRAINT jobs_hold_room_check CHECK ((hold_room >= 0)),
    CONSTRAINT jobs_later_check CHECK ((later >= 0)),
    CONSTRAINT jobs_rejected_check CHECK ((rejected >= 0)),
    CONSTRAINT jobs_released_up_to_check CHECK ((released_up_to >= 0)),
    CONSTRAINT jobs_results_length_check CHECK ((results_length >= 0)),
    CONSTRAINT jobs_step_entries_check CHECK ((step_entries >= 0)),
    CONSTRAINT jobs_steps_passed_check CHECK ((steps_passed >= 0)),
    CONSTRAINT jobs_total_check CHECK ((total > 0))
);

CREATE TABLE batchd.requests (
    id bigint NOT NULL,
    job bigint NOT NULL,
    custom_id text NOT NULL,
    name text NOT NULL COLLATE batchd.nocase,
    model text NOT NULL,
    max_tokens bigint NOT NULL,
    betas text NOT NULL,
    "offset" bigint NOT NULL,
    size bigint NOT NULL,
    since double precision NOT NULL,
    cohort text DEFAULT ''::text NOT NULL,
    worst bigint,
    counted boolean DEFAULT false NOT NULL,
    budget bigint,
    rounds bigint DEFAULT 0 NOT NULL,
    allowance bigint DEFAULT 0 NOT NULL,
    promised boolean DEFAULT false NOT NULL,
    round bigint DEFAULT 0 NOT NULL,
    sent_offset bigint,
    sent_size bigint,
    lane text DEFAULT 'batch'::text NOT NULL,
    first bigint,
    forgiven bigint DEFAULT 0 NOT NULL,
    batch bigint,
    verdict text,
    stop_reason text,
    reason text,
    document text,
    sections text,
    wishes text DEFAULT '{}'::text NOT NULL,
    filed text,
    version text,
    sendings bigint DEFAULT 0 NOT NULL,
    again text,
    asked text,
    counts_from bigint DEFAULT 0 NOT NULL,
    step bigint,
    place bigint,
    record text,
    CONSTRAINT requests_again_check CHECK ((again = ANY (ARRAY['on'::text, 'anew'::text]))),
    CONSTRAINT requests_allowance_check CHECK ((allowance >= 0)),
    CONSTRAINT requests_budget_check CHECK ((budget >= 0)),
    CONSTRAINT requests_check CHECK (true),
    CONSTRAINT requests_check1 CHECK (true),
    CONSTRAINT requests_check2 CHECK (((batch IS NULL) OR (verdict IS NULL))),
    CONSTRAINT requests_check3 CHECK (((sent_offset IS NULL) = (sent_size IS NULL))),
    CONSTRAINT requests_custom_id_check CHECK ((custom_id <> ''::text)),
    CONSTRAINT requests_lane_check CHECK ((lane = ANY (ARRAY['batch'::text, 'sync'::text]))),
    CONSTRAINT requests_max_tokens_check CHECK ((max_tokens > 0)),
    CONSTRAINT requests_offset_check CHECK (("offset" >= 0)),
    CONSTRAINT requests_place_check CHECK ((place > 0)),
    CONSTRAINT requests_round_check CHECK ((round >= 0)),
    CONSTRAINT requests_rounds_check CHECK ((rounds >= 0)),
    CONSTRAINT requests_size_check CHECK ((size > 0)),
    CONSTRAINT requests_step_check CHECK ((step >= 0)),
    CONSTRAINT requests_verdict_check CHECK ((verdict = ANY (ARRAY['complete'::text, 'truncated'::text, 'short'::text, 'refused'::text, 'paused'::text, 'errored'::text, 'expired'::text, 'canceled'::text]))),
    CONSTRAINT requests_worst_check CHECK ((worst >= 0))
);

CREATE TABLE batchd.trips (
    batch bigint NOT NULL,
    "row" bigint NOT NULL,
    request bigint NOT NULL,
    outcome text,
    stop_reason text,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    cache_read bigint DEFAULT 0 NOT NULL,
    cache_write_5m bigint DEFAULT 0 NOT NULL,
    cache_write_1h bigint DEFAULT 0 NOT NULL,
    reserved bigint,
    cost bigint,
    standard_cost bigint,
    cache_saved bigint,
    sending bigint DEFAULT 0 NOT NULL,
    committed bigint GENERATED ALWAYS AS (COALESCE(cost, batchd.iif((outcome = ANY (ARRAY['errored'::text, 'expired'::text, 'canceled'::text])), (0)::bigint, reserved), (0)::bigint)) STORED,
    bounded boolean DEFAULT false NOT NULL,
    answered bigint GENERATED ALWAYS AS (
CASE
    WHEN (outcome = 'succeeded'::text) THEN 1
    ELSE 0
END) STORED,
    unpriced bigint GENERATED ALWAYS AS (
CASE
    WHEN ((outcome <> ALL (ARRAY['errored'::text, 'expired'::text, 'canceled'::text])) AND (cost IS NULL)) THEN 1
    ELSE 0
END) STORED,
    unpriced_standard bigint GENERATED ALWAYS AS (
CASE
    WHEN ((outcome <> ALL (ARRAY['errored'::text, 'expired'::text, 'canceled'::text])) AND (standard_cost IS NULL)) THEN 1
    ELSE 0
END) STORED,
    pending bigint GENERATED ALWAYS AS (
CASE
    WHEN ((cost IS NOT NULL) OR (outcome = ANY (ARRAY['errored'::text, 'expired'::text, 'canceled'::text]))) THEN (0)::bigint
    ELSE COALESCE(reserved, (0)::bigint)
END) STORED,
    CONSTRAINT trips_check CHECK (true),
    CONSTRAINT trips_row_check CHECK (("row" >= 0))
);

CREATE VIEW batchd.charges AS
 SELECT trips.batch,
    trips."row",
    trips.request,
    requests.job,
    batchd.day_of(batches.planned_at) AS day,
    jobs.sandbox,
    jobs.queue,
    requests.model,
    batches.lane,
    (1)::bigint AS trips,
    trips.answered AS answers,
    trips.unpriced,
    trips.unpriced_standard,
    ((trips.bounded)::integer)::bigint AS bounded,
    trips.input_tokens,
    trips.output_tokens,
    trips.cache_read,
    trips.cache_write_5m,
    trips.cache_write_1h,
    (COALESCE(trips.cost, (0)::bigint) / 1000000) AS cost_micro,
    (COALESCE(trips.cost, (0)::bigint) % (1000000)::bigint) AS cost_pico,
    (COALESCE(trips.standard_cost, (0)::bigint) / 1000000) AS standard_cost_micro,
    (COALESCE(trips.standard_cost, (0)::bigint) % (1000000)::bigint) AS standard_cost_pico,
    (COALESCE(trips.cache_saved, (0)::bigint) / 1000000) AS saved_micro,
    (COALESCE(trips.cache_saved, (0)::bigint) % (1000000)::bigint) AS saved_pico,
    (trips.pending / 1000000) AS reserved_micro,
    (trips.pending % (1000000)::bigint) AS reserved_pico
   FROM (((batchd.trips
     JOIN batchd.requests ON ((requests.id = trips.request)))
     JOIN batchd.jobs ON ((jobs.id = requests.job)))
     JOIN batchd.batches ON ((batches.id = trips.batch)));

CREATE TABLE batchd.counters (
    name text NOT NULL,
    label text NOT NULL,
    queue text NOT NULL,
    n bigint NOT NULL
);

CREATE TABLE batchd.disproved (
    batch bigint NOT NULL,
    remote_id text NOT NULL
);

CREATE TABLE batchd.facts (
    name text NOT NULL,
    value text NOT NULL
);

CREATE TABLE batchd.folder_days (
    folder text NOT NULL,
    day bigint NOT NULL,
    committed_micro bigint NOT NULL,
    committed_pico bigint NOT NULL
);

CREATE TABLE batchd.given_up (
    batch bigint NOT NULL,
    request bigint NOT NULL,
    sending bigint NOT NULL
);

CREATE TABLE batchd.job_batches (
    batch bigint NOT NULL,
    job bigint NOT NULL,
    trips bigint NOT NULL,
    answers bigint NOT NULL,
    unpriced bigint NOT NULL,
    unpriced_standard bigint NOT NULL,
    bounded bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read bigint NOT NULL,
    cache_write_5m bigint NOT NULL,
    cache_write_1h bigint NOT NULL,
    cost_micro bigint NOT NULL,
    cost_pico bigint NOT NULL,
    standard_cost_micro bigint NOT NULL,
    standard_cost_pico bigint NOT NULL,
    saved_micro bigint NOT NULL,
    saved_pico bigint NOT NULL,
    reserved_micro bigint NOT NULL,
    reserved_pico bigint NOT NULL
);

ALTER TABLE batchd.jobs ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME batchd.jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE batchd.kept_verdicts (
    job bigint NOT NULL,
    verdict text NOT NULL,
    n bigint NOT NULL
);

CREATE TABLE batchd.looked_through (
    remote_id text NOT NULL
);

CREATE TABLE batchd.notice_deliveries (
    notice bigint NOT NULL,
    sink text NOT NULL,
    since double precision NOT NULL,
    attempts bigint DEFAULT 0 NOT NULL,
    next_at double precision NOT NULL,
    done_at double precision,
    failed text,
    said text
);

CREATE TABLE batchd.notices (
    id bigint NOT NULL,
    at double precision NOT NULL,
    due_at double precision NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    job bigint,
    queue text,
    about bigint,
    data text NOT NULL,
    state text DEFAULT 'new'::text NOT NULL,
    filed boolean DEFAULT false NOT NULL,
    CONSTRAINT notices_check CHECK (true),
    CONSTRAINT notices_state_check CHECK ((state = ANY (ARRAY['new'::text, 'told'::text, 'summed'::text])))
);

ALTER TABLE batchd.notices ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME batchd.notices_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE batchd.pauses (
    folder text NOT NULL,
    since double precision NOT NULL,
    until double precision,
    by text NOT NULL,
    reason text
);

CREATE TABLE batchd.recovered (
    request bigint NOT NULL,
    sending bigint NOT NULL,
    remote_id text NOT NULL,
    created_at double precision NOT NULL,
    ended_at double precision,
    results_url text
);

CREATE TABLE batchd.refusals (
    batch bigint NOT NULL,
    parent bigint,
    betas text NOT NULL,
    digest text NOT NULL,
    refuted boolean DEFAULT false NOT NULL,
    CONSTRAINT refusals_check CHECK (true)
);

ALTER TABLE batchd.requests ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME batchd.requests_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE batchd.spent (
    day bigint NOT NULL,
    sandbox boolean NOT NULL,
    queue text NOT NULL,
    model text NOT NULL,
    lane text NOT NULL,
    trips bigint NOT NULL,
    answers bigint NOT NULL,
    unpriced bigint NOT NULL,
    unpriced_standard bigint NOT NULL,
    bounded bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read bigint NOT NULL,
    cache_write_5m bigint NOT NULL,
    cache_write_1h bigint NOT NULL,
    cost_micro bigint NOT NULL,
    cost_pico bigint NOT NULL,
    standard_cost_micro bigint NOT NULL,
    standard_cost_pico bigint NOT NULL,
    saved_micro bigint NOT NULL,
    saved_pico bigint NOT NULL,
    reserved_micro bigint NOT NULL,
    reserved_pico bigint NOT NULL,
    CONSTRAINT spent_check CHECK (true)
);

CREATE TABLE batchd.troubles (
    work text NOT NULL,
    thing text NOT NULL,
    name text NOT NULL,
    job bigint,
    since double precision NOT NULL,
    reason text NOT NULL,
    defect boolean NOT NULL,
    CONSTRAINT troubles_check CHECK (true)
);

CREATE TABLE batchd.warmings (
    first bigint NOT NULL,
    primer bigint NOT NULL,
    tried bigint DEFAULT 1 NOT NULL,
    warm_until double precision,
    CONSTRAINT warmings_tried_check CHECK ((tried > 0))
);

INSERT INTO batchd.batches VALUES (1, 'settled', 'batch', '', NULL, 2, 372, 'xwhcec5cg6miukh5', 1, 1795776654.8170853, false, 0, NULL, 1795776656, 'http://127.0.0.1:46611', '0b8a1c2e-5a4d-4c1f-9e6b-5d7f3a2c1b00', NULL, 'msgbatch_01SaKM96SM7yPMunvHPew5gp', 'nonce', 1795776658.0793095, 1795863057.988832, 1795776661.996832, 'http://127.0.0.1:46611/v1/messages/batches/msgbatch_01SaKM96SM7yPMunvHPew5gp/results', NULL, NULL, 0, NULL, NULL, NULL, NULL);
INSERT INTO batchd.batches VALUES (2, 'planned', 'batch', '', NULL, 3, 580, 'qzafpxxpovuhye5p', 0, 1795776681.2850494, false, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL);

INSERT INTO batchd.counters VALUES ('job', 'done', '', 1);
INSERT INTO batchd.counters VALUES ('request', 'complete', '', 2);

INSERT INTO batchd.facts VALUES ('installation', '47ef0bc6764abd98f9dc');
INSERT INTO batchd.facts VALUES ('api', 'api');
INSERT INTO batchd.facts VALUES ('intents', '1');

INSERT INTO batchd.job_batches VALUES (1, 1, 2, 2, 0, 0, 0, 22, 329, 0, 0, 0, 833, 500000, 1667, 0, 0, 0, 0, 0);
INSERT INTO batchd.job_batches VALUES (2, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 320098, 0);
INSERT INTO batchd.job_batches VALUES (2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1596, 1000000);

INSERT INTO batchd.jobs VALUES (1, '01a21ca0f11f-412038e06342', 'letters', 'letters.jsonl', 1795776650.5610857, 2, 1795776665.4227295, true, false, false, 2539, NULL, NULL, NULL, NULL, NULL, false, 1, 0, NULL, NULL, NULL, 834, -500000, NULL, false, 0, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, 0, false, NULL, NULL, NULL, NULL, '{"complete": 2}', DEFAULT, false, NULL, NULL, NULL, 0);
INSERT INTO batchd.jobs VALUES (2, '01a21ca0f34c-d126d27c7b83', 'orders', 'orders.jsonl', 1795776673.7233987, 2, NULL, false, false, false, 0, NULL, NULL, NULL, NULL, NULL, false, 3, 0, NULL, NULL, NULL, 1596, 1000000, NULL, false, 0, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, 0, false, NULL, NULL, NULL, NULL, NULL, DEFAULT, false, NULL, NULL, NULL, 0);
INSERT INTO batchd.jobs VALUES (3, '01a21ca0f34d-5d51f7825869', 'orders-2', 'orders.md', 1795776673.724989, 1, NULL, false, false, false, 0, NULL, NULL, NULL, NULL, NULL, false, 5, 0, NULL, NULL, NULL, 320098, 0, NULL, false, 0, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, 0, false, NULL, NULL, NULL, NULL, NULL, DEFAULT, false, NULL, NULL, NULL, 0);

INSERT INTO batchd.notices VALUES (1, 1795776665.4227295, 1795776665.4227295, 'job.finished', 'job 1 1795776665.422729', 1, '', NULL, '{"job": "letters", "queue": "", "state": "done", "source": "letters.jsonl", "requests": {"total": 2, "complete": 2, "incomplete": 0, "errored": 0, "expired": 0, "canceled": 0, "rejected": 0}, "reasons": [], "cost_usd": 0.0008335, "sandbox": false}', 'told', true);

INSERT INTO batchd.requests VALUES (2, 1, 'r1', 'r1', 'claude-haiku-4-5', 300, '', 91, 90, 1795776664.7190595, '', 795000000, false, NULL, 0, 0, false, 0, NULL, NULL, 'batch', NULL, 0, NULL, 'complete', 'end_turn', NULL, 'documents/r1.md', NULL, '{}', NULL, NULL, 1, NULL, NULL, 0, NULL, NULL, NULL);
INSERT INTO batchd.requests VALUES (1, 1, 'r0', 'r0', 'claude-haiku-4-5', 300, '', 0, 90, 1795776664.7190595, '', 795000000, false, NULL, 0, 0, false, 0, NULL, NULL, 'batch', NULL, 0, NULL, 'complete', 'end_turn', NULL, 'documents/r0.md', NULL, '{}', NULL, NULL, 1, NULL, NULL, 0, NULL, NULL, NULL);
INSERT INTO batchd.requests VALUES (3, 2, 'r0', 'r0', 'claude-haiku-4-5', 300, '', 0, 97, 1795776673.7233987, '', 798500000, false, NULL, 0, 0, false, 0, NULL, NULL, 'batch', NULL, 0, 2, NULL, NULL, NULL, NULL, NULL, '{}', NULL, NULL, 1, NULL, NULL, 0, NULL, NULL, NULL);
INSERT INTO batchd.requests VALUES (5, 3, 'orders', 'orders', 'claude-sonnet-5-5', 64000, '', 0, 98, 1795776673.724989, '', 320098000000, false, NULL, 0, 0, false, 0, NULL, NULL, 'batch', NULL, 0, 2, NULL, NULL, NULL, NULL, NULL, '{}', NULL, NULL, 1, NULL, NULL, 0, NULL, NULL, NULL);
INSERT INTO batchd.requests VALUES (4, 2, 'r1', 'r1', 'claude-haiku-4-5', 300, '', 98, 97, 1795776673.7233987, '', 798500000, false, NULL, 0, 0, false, 0, NULL, NULL, 'batch', NULL, 0, 2, NULL, NULL, NULL, NULL, NULL, '{}', NULL, NULL, 1, NULL, NULL, 0, NULL, NULL, NULL);

INSERT INTO batchd.spent VALUES (20784, false, '', 'claude-haiku-4-5', 'batch', 4, 2, 0, 0, 0, 22, 329, 0, 0, 0, 833, 500000, 1667, 0, 0, 0, 1596, 1000000);
INSERT INTO batchd.spent VALUES (20784, false, '', 'claude-sonnet-5-5', 'batch', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 320098, 0);

INSERT INTO batchd.trips VALUES (1, 0, 1, 'succeeded', 'end_turn', 11, 164, 0, 0, 0, 795000000, 415500000, 831000000, 0, 1, DEFAULT, false, DEFAULT, DEFAULT, DEFAULT, DEFAULT);
INSERT INTO batchd.trips VALUES (1, 1, 2, 'succeeded', 'end_turn', 11, 165, 0, 0, 0, 795000000, 418000000, 836000000, 0, 1, DEFAULT, false, DEFAULT, DEFAULT, DEFAULT, DEFAULT);
INSERT INTO batchd.trips VALUES (2, 0, 3, NULL, NULL, 0, 0, 0, 0, 0, 798500000, NULL, NULL, NULL, 1, DEFAULT, false, DEFAULT, DEFAULT, DEFAULT, DEFAULT);
INSERT INTO batchd.trips VALUES (2, 1, 4, NULL, NULL, 0, 0, 0, 0, 0, 798500000, NULL, NULL, NULL, 1, DEFAULT, false, DEFAULT, DEFAULT, DEFAULT, DEFAULT);
INSERT INTO batchd.trips VALUES (2, 2, 5, NULL, NULL, 0, 0, 0, 0, 0, 320098000000, NULL, NULL, NULL, 1, DEFAULT, false, DEFAULT, DEFAULT, DEFAULT, DEFAULT);

SELECT pg_catalog.setval('batchd.batches_id_seq', 2, true);

SELECT pg_catalog.setval('batchd.jobs_id_seq', 3, true);

SELECT pg_catalog.setval('batchd.notices_id_seq', 1, true);

SELECT pg_catalog.setval('batchd.requests_id_seq', 1, false);

ALTER TABLE ONLY batchd.amendments
    ADD CONSTRAINT amendments_job_number_key UNIQUE (job, number);

ALTER TABLE ONLY batchd.amendments
    ADD CONSTRAINT amendments_pkey PRIMARY KEY (claim);

ALTER TABLE ONLY batchd.amendments
    ADD CONSTRAINT amendments_ticket_key UNIQUE (ticket);

ALTER TABLE ONLY batchd.batches
    ADD CONSTRAINT batches_nonce_key UNIQUE (nonce);

ALTER TABLE ONLY batchd.batches
    ADD CONSTRAINT batches_pkey PRIMARY KEY (id);

ALTER TABLE ONLY batchd.counters
    ADD CONSTRAINT counters_pkey PRIMARY KEY (name, label, queue);

ALTER TABLE ONLY batchd.disproved
    ADD CONSTRAINT disproved_pkey PRIMARY KEY (batch, remote_id);

ALTER TABLE ONLY batchd.facts
    ADD CONSTRAINT facts_pkey PRIMARY KEY (name);

ALTER TABLE ONLY batchd.folder_days
    ADD CONSTRAINT folder_days_pkey PRIMARY KEY (folder, day);

ALTER TABLE ONLY batchd.given_up
    ADD CONSTRAINT given_up_pkey PRIMARY KEY (request, batch);

ALTER TABLE ONLY batchd.job_batches
    ADD CONSTRAINT job_batches_pkey PRIMARY KEY (batch, job);

ALTER TABLE ONLY batchd.jobs
    ADD CONSTRAINT jobs_claim_key UNIQUE (claim);

ALTER TABLE ONLY batchd.jobs
    ADD CONSTRAINT jobs_name_key UNIQUE (name);

ALTER TABLE ONLY batchd.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY batchd.kept_verdicts
    ADD CONSTRAINT kept_verdicts_pkey PRIMARY KEY (job, verdict);

ALTER TABLE ONLY batchd.looked_through
    ADD CONSTRAINT looked_through_pkey PRIMARY KEY (remote_id);

ALTER TABLE ONLY batchd.notice_deliveries
    ADD CONSTRAINT notice_deliveries_pkey PRIMARY KEY (notice, sink);

ALTER TABLE ONLY batchd.notices
    ADD CONSTRAINT notices_kind_subject_key UNIQUE (kind, subject);

ALTER TABLE ONLY batchd.notices
    ADD CONSTRAINT notices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY batchd.pauses
    ADD CONSTRAINT pauses_pkey PRIMARY KEY (folder);

ALTER TABLE ONLY batchd.recovered
    ADD CONSTRAINT recovered_pkey PRIMARY KEY (request, sending);

ALTER TABLE ONLY batchd.refusals
    ADD CONSTRAINT refusals_pkey PRIMARY KEY (batch);

ALTER TABLE ONLY batchd.requests
    ADD CONSTRAINT requests_job_custom_id_key UNIQUE (job, custom_id);

ALTER TABLE ONLY batchd.requests
    ADD CONSTRAINT requests_job_name_key UNIQUE (job, name);

ALTER TABLE ONLY batchd.requests
    ADD CONSTRAINT requests_pkey PRIMARY KEY (id);

ALTER TABLE ONLY batchd.spent
    ADD CONSTRAINT spent_pkey PRIMARY KEY (day, sandbox, queue, model, lane);

ALTER TABLE ONLY batchd.trips
    ADD CONSTRAINT trips_pkey PRIMARY KEY (batch, "row");

ALTER TABLE ONLY batchd.troubles
    ADD CONSTRAINT troubles_pkey PRIMARY KEY (work, thing);

ALTER TABLE ONLY batchd.warmings
    ADD CONSTRAINT warmings_pkey PRIMARY KEY (first);

CREATE UNIQUE INDEX amendments_open ON batchd.amendments USING btree (job) WHERE (NOT applied);

CREATE INDEX batches_planned ON batchd.batches USING btree (planned_at);

CREATE UNIQUE INDEX batches_remote ON batchd.batches USING btree (remote_id, recovered) WHERE (lane = 'batch'::text);

CREATE INDEX batches_unfinished ON batchd.batches USING btree (state, id) WHERE (state <> ALL (ARRAY['settled'::text, 'dissolved'::text]));

CREATE UNIQUE INDEX batches_unresolved ON batchd.batches USING btree (count) WHERE ((state = 'intended'::text) AND (NOT gave_back) AND (lane = 'batch'::text));

CREATE INDEX job_batches_of_job ON batchd.job_batches USING btree (job);

CREATE INDEX jobs_alike ON batchd.jobs USING btree (digest) WHERE (digest IS NOT NULL);

CREATE INDEX jobs_arriving ON batchd.jobs USING btree (id) WHERE (missing > 0);

CREATE INDEX jobs_budgeted ON batchd.jobs USING btree (id) WHERE ((NOT delivered) AND ((budget IS NOT NULL) OR (released_up_to IS NOT NULL) OR (folder_per_day IS NOT NULL)));

CREATE INDEX jobs_held ON batchd.jobs USING btree (id) WHERE (hold IS NOT NULL);

CREATE INDEX jobs_held_by_steps ON batchd.jobs USING btree (id) WHERE (step_hold IS NOT NULL);

CREATE INDEX jobs_in_turn ON batchd.jobs USING btree (id) WHERE ((NOT delivered) AND ((priority IS NOT NULL) OR (hours IS NOT NULL)));

CREATE INDEX jobs_open ON batchd.jobs USING btree (id) WHERE (NOT delivered);

CREATE INDEX jobs_stepping ON batchd.jobs USING btree (id) WHERE (steps_left > 0);

CREATE UNIQUE INDEX jobs_ticket ON batchd.jobs USING btree (ticket) WHERE (ticket IS NOT NULL);

CREATE INDEX jobs_wanted ON batchd.jobs USING btree (id) WHERE retry_wanted;

CREATE INDEX notice_deliveries_due ON batchd.notice_deliveries USING btree (sink, next_at) WHERE ((done_at IS NULL) AND (failed IS NULL));

CREATE INDEX notices_at ON batchd.notices USING btree (at);

CREATE INDEX notices_new ON batchd.notices USING btree (due_at) WHERE (state = 'new'::text);

CREATE INDEX notices_of_job ON batchd.notices USING btree (job) WHERE (job IS NOT NULL);

CREATE INDEX notices_rejected ON batchd.notices USING btree (queue, at) WHERE (kind = 'file.rejected'::text);

CREATE INDEX notices_unfiled ON batchd.notices USING btree (id) WHERE ((state = 'told'::text) AND (NOT filed));

CREATE INDEX refusals_like ON batchd.refusals USING btree (betas);

CREATE INDEX requests_again ON batchd.requests USING btree (job) WHERE (again IS NOT NULL);

CREATE INDEX requests_behind ON batchd.requests USING btree (first, id) WHERE ((first IS NOT NULL) AND (batch IS NULL) AND (verdict IS NULL) AND (round = 0));

CREATE INDEX requests_between ON batchd.requests USING btree (job, round) WHERE ((verdict IS NULL) AND (round > 0));

CREATE INDEX requests_budgeted ON batchd.requests USING btree (job) WHERE ((verdict IS NULL) AND (budget IS NOT NULL));

CREATE INDEX requests_ended ON batchd.requests USING btree (job, verdict, reason) WHERE (verdict IS NOT NULL);

CREATE INDEX requests_late ON batchd.requests USING btree (job, place) WHERE (place IS NOT NULL);

CREATE INDEX requests_of_family ON batchd.requests USING btree (first) WHERE (first IS NOT NULL);

CREATE INDEX requests_of_step ON batchd.requests USING btree (job, step, verdict) WHERE (step IS NOT NULL);

CREATE INDEX requests_open ON batchd.requests USING btree (job) WHERE (verdict IS NULL);

CREATE INDEX requests_promised ON batchd.requests USING btree (job, worst) WHERE (promised AND (batch IS NULL) AND (verdict IS NULL));

CREATE INDEX requests_travelling ON batchd.requests USING btree (batch, job) WHERE (batch IS NOT NULL);

CREATE INDEX requests_waiting ON batchd.requests USING btree (id) WHERE ((batch IS NULL) AND (verdict IS NULL));

CREATE INDEX trips_of_request ON batchd.trips USING btree (request);

CREATE UNIQUE INDEX trips_under_way ON batchd.trips USING btree (request) WHERE (outcome IS NULL);

CREATE TRIGGER family_begun AFTER INSERT ON batchd.requests FOR EACH ROW WHEN ((new.first IS NOT NULL)) EXECUTE FUNCTION batchd.family_begun();

CREATE TRIGGER trip_charged AFTER UPDATE ON batchd.trips FOR EACH ROW WHEN ((new.committed <> old.committed)) EXECUTE FUNCTION batchd.trip_charged();

CREATE TRIGGER trip_planned AFTER INSERT ON batchd.trips FOR EACH ROW WHEN ((new.committed <> 0)) EXECUTE FUNCTION batchd.trip_planned();

CREATE TRIGGER trip_undone AFTER DELETE ON batchd.trips FOR EACH ROW WHEN ((old.committed <> 0)) EXECUTE FUNCTION batchd.trip_undone();

ALTER TABLE ONLY batchd.amendments
    ADD CONSTRAINT amendments_job_fkey FOREIGN KEY (job) REFERENCES batchd.jobs(id) ON DELETE CASCADE;

ALTER TABLE ONLY batchd.disproved
    ADD CONSTRAINT disproved_batch_fkey FOREIGN KEY (batch) REFERENCES batchd.batches(id);

ALTER TABLE ONLY batchd.given_up
    ADD CONSTRAINT given_up_batch_fkey FOREIGN KEY (batch) REFERENCES batchd.batches(id);

ALTER TABLE ONLY batchd.given_up
    ADD CONSTRAINT given_up_request_fkey FOREIGN KEY (request) REFERENCES batchd.requests(id);

ALTER TABLE ONLY batchd.job_batches
    ADD CONSTRAINT job_batches_batch_fkey FOREIGN KEY (batch) REFERENCES batchd.batches(id);

ALTER TABLE ONLY batchd.job_batches
    ADD CONSTRAINT job_batches_job_fkey FOREIGN KEY (job) REFERENCES batchd.jobs(id);

ALTER TABLE ONLY batchd.kept_verdicts
    ADD CONSTRAINT kept_verdicts_job_fkey FOREIGN KEY (job) REFERENCES batchd.jobs(id);

ALTER TABLE ONLY batchd.notice_deliveries
    ADD CONSTRAINT notice_deliveries_notice_fkey FOREIGN KEY (notice) REFERENCES batchd.notices(id) ON DELETE CASCADE;

ALTER TABLE ONLY batchd.notices
    ADD CONSTRAINT notices_job_fkey FOREIGN KEY (job) REFERENCES batchd.jobs(id);

ALTER TABLE ONLY batchd.refusals
    ADD CONSTRAINT refusals_batch_fkey FOREIGN KEY (batch) REFERENCES batchd.batches(id);

ALTER TABLE ONLY batchd.refusals
    ADD CONSTRAINT refusals_parent_fkey FOREIGN KEY (parent) REFERENCES batchd.batches(id);

ALTER TABLE ONLY batchd.requests
    ADD CONSTRAINT requests_batch_fkey FOREIGN KEY (batch) REFERENCES batchd.batches(id);

ALTER TABLE ONLY batchd.requests
    ADD CONSTRAINT requests_job_fkey FOREIGN KEY (job) REFERENCES batchd.jobs(id);

ALTER TABLE ONLY batchd.trips
    ADD CONSTRAINT trips_batch_fkey FOREIGN KEY (batch) REFERENCES batchd.batches(id);

ALTER TABLE ONLY batchd.trips
    ADD CONSTRAINT trips_request_fkey FOREIGN KEY (request) REFERENCES batchd.requests(id);

ALTER TABLE ONLY batchd.troubles
    ADD CONSTRAINT troubles_job_fkey FOREIGN KEY (job) REFERENCES batchd.jobs(id);

