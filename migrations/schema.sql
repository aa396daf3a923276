CREATE FUNCTION public.sync_alert_cause(error text, of_user text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'public', 'pg_temp'
    AS $_$
    SELECT left(md5(regexp_replace(
        regexp_replace(
            coalesce(error, ''),
            '(^|\W)' || regexp_replace(of_user, '(\W)', '\\\1', 'g') || '(?=$|\W)', '\1?', 'g'),
        '[0-9a-fA-F-]{16,}|\d+', '#', 'g')), 12)
$_$;

CREATE FUNCTION public.sync_jobs_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    held bigint := OLD.lease;
BEGIN
    IF held IS NOT NULL AND NEW.status = 'running' THEN
        UPDATE sync_queue
        SET job_id = NEW.job_id, user_id = NEW.user_id, priority = NEW.priority, run_at = NEW.run_at
        WHERE user_id = OLD.user_id AND lease = held;
        RETURN NEW;
    END IF;
    IF held IS NOT NULL OR OLD.status = 'queued' THEN
        PERFORM sync_queue_remove(OLD);
    END IF;
    IF NEW.status IS DISTINCT FROM OLD.status THEN
        NEW.lease := NULL;
        NEW.worker := NULL;
        NEW.completed_at := CASE
            WHEN NEW.status NOT IN ('completed', 'failed', 'cancelled') THEN NULL
            WHEN OLD.status IN ('queued', 'running') THEN timezone('utc', clock_timestamp())
            ELSE coalesce(NEW.completed_at, timezone('utc', clock_timestamp()))
        END;
        NEW.failed_at := CASE WHEN NEW.status IN ('failed', 'cancelled') THEN clock_timestamp() END;
        IF NEW.status = 'queued' AND OLD.status IN ('completed', 'failed', 'cancelled') THEN
            -- A retry by an operator: full budgets, due now. A job that had completed starts afresh; any other goes on where
            -- it stopped, which is what started_at stands for.
            NEW.attempt := 0;
            NEW.crashes := 0;
            NEW.error_message := NULL;
            NEW.run_at := CASE WHEN NEW.run_at = OLD.run_at THEN now() ELSE NEW.run_at END;
            NEW.started_at := CASE WHEN OLD.status = 'completed' THEN NULL ELSE OLD.started_at END;
        ELSIF NEW.status = 'failed' THEN
            INSERT INTO sync_alert_events (kind, job_id, user_id, error)
            VALUES ('job_failed', NEW.job_id, NEW.user_id, left(coalesce(NEW.error_message, NEW.last_error), 2000));
        END IF;
    END IF;
    IF NEW.status = 'queued' THEN
        INSERT INTO sync_queue (job_id, user_id, priority, run_at)
        VALUES (NEW.job_id, NEW.user_id, NEW.priority, NEW.run_at);
        IF NEW.run_at <= clock_timestamp() THEN
            PERFORM sync_queue_wake();
        END IF;
    END IF;
    IF held IS NOT NULL THEN
        PERFORM pg_notify('sync_jobs_revoked', '');
        -- The worker that had it may be dead: another is woken.
        PERFORM sync_queue_unpark(OLD.user_id, true);
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION public.sync_jobs_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM sync_queue_remove(OLD);
    IF OLD.lease IS NOT NULL THEN
        PERFORM pg_notify('sync_jobs_revoked', '');
        PERFORM sync_queue_unpark(OLD.user_id, true);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.sync_jobs_inserted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO sync_queue (job_id, user_id, priority, run_at)
    SELECT job_id, user_id, priority, run_at FROM inserted WHERE status = 'queued';
    IF FOUND AND EXISTS (SELECT FROM sync_workers WHERE wakeable AND last_seen_at > now() - interval '5 minutes')
        AND EXISTS (SELECT FROM inserted WHERE status = 'queued' AND run_at <= clock_timestamp())
    THEN
        PERFORM sync_queue_wake();
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.sync_jobs_inserted_unsuccessful() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    NEW.failed_at := coalesce(NEW.failed_at, timezone('utc', NEW.completed_at), now());
    RETURN NEW;
END
$$;

CREATE FUNCTION public.sync_jobs_progress(job uuid, held bigint, total integer, processed integer, failed integer, committed bigint, write bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    UPDATE sync_jobs SET total_notes = total, processed_notes = processed, failed_notes = failed, last_write = write
    WHERE job_id = job AND lease = held AND last_write >= committed AND last_write < write;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease of job % is no longer held', job USING ERRCODE = 'SY001';
    END IF;
END
$$;

CREATE FUNCTION public.sync_jobs_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    DELETE FROM sync_queue;
    PERFORM pg_notify('sync_jobs_revoked', '');
    RETURN NULL;
END
$$;

CREATE FUNCTION public.sync_notion_database(id text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'public', 'pg_temp'
    AS $_$
    SELECT CASE WHEN d.digits ~ '[0-9a-f]{32}$' THEN right(d.digits, 32) ELSE btrim(id, E' \t\r\n') END
    FROM (SELECT replace(lower(regexp_replace(regexp_replace(btrim(id, E' \t\r\n'), '/*([?#].*)?$', ''), '^.*/', '')), '-', '')
          AS digits) AS d
$_$;

CREATE FUNCTION public.sync_queue_disagreements() RETURNS TABLE(job_id uuid, user_id character varying, problem text)
    LANGUAGE sql STABLE
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT j.job_id, j.user_id, 'missing'
    FROM sync_jobs AS j
    LEFT JOIN sync_queue AS q ON q.job_id = j.job_id
    WHERE (j.status = 'queued' OR j.lease IS NOT NULL) AND q.job_id IS NULL
    UNION ALL
    SELECT q.job_id, q.user_id, 'surplus'
    FROM sync_queue AS q
    LEFT JOIN sync_jobs AS j ON j.job_id = q.job_id
    WHERE j.job_id IS NULL OR j.user_id <> q.user_id OR j.lease IS DISTINCT FROM q.lease
        OR j.lease IS NULL AND (j.status <> 'queued' OR j.priority <> q.priority OR j.run_at <> q.run_at)
    UNION ALL
    SELECT q.job_id, min(q.user_id), 'double' FROM sync_queue AS q GROUP BY q.job_id HAVING count(*) > 1
$$;

CREATE TABLE public.sync_jobs (
    job_id uuid NOT NULL,
    user_id character varying(255) NOT NULL,
    status character varying(50) NOT NULL,
    full_sync boolean DEFAULT false,
    total_notes integer DEFAULT 0,
    processed_notes integer DEFAULT 0,
    failed_notes integer DEFAULT 0,
    error_message text,
    created_at timestamp without time zone DEFAULT timezone('utc'::text, now()) NOT NULL,
    completed_at timestamp without time zone,
    priority smallint DEFAULT 0 NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    max_attempts integer DEFAULT 5 NOT NULL,
    crashes integer DEFAULT 0 NOT NULL,
    max_crashes integer DEFAULT 3 NOT NULL,
    lease bigint,
    last_write bigint DEFAULT 0 NOT NULL,
    rescued_lease bigint,
    worker text,
    started_at timestamp with time zone,
    last_error text,
    traceparent text,
    failed_at timestamp with time zone
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.02', autovacuum_analyze_threshold='1000', autovacuum_vacuum_cost_delay='0');

CREATE FUNCTION public.sync_queue_has(record public.sync_jobs) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT CASE WHEN record.lease IS NOT NULL THEN EXISTS (
        SELECT FROM sync_queue
        WHERE user_id = record.user_id AND lease = record.lease AND job_id = record.job_id)
    ELSE EXISTS (
        SELECT FROM sync_queue
        WHERE priority = record.priority AND run_at = record.run_at AND job_id = record.job_id
            AND lease IS NULL AND NOT is_parked)
    OR EXISTS (
        SELECT FROM sync_queue
        WHERE user_id = record.user_id AND priority = record.priority AND run_at = record.run_at
            AND job_id = record.job_id AND is_parked)
    END
$$;

CREATE FUNCTION public.sync_queue_remove(record public.sync_jobs) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF record.lease IS NOT NULL THEN
        DELETE FROM sync_queue WHERE user_id = record.user_id AND lease = record.lease;
        RETURN;
    END IF;
    DELETE FROM sync_queue
    WHERE priority = record.priority AND run_at = record.run_at AND job_id = record.job_id
        AND lease IS NULL AND NOT is_parked;
    IF NOT FOUND THEN
        DELETE FROM sync_queue
        WHERE user_id = record.user_id AND priority = record.priority AND run_at = record.run_at AND job_id = record.job_id
            AND is_parked;
    END IF;
END
$$;

CREATE FUNCTION public.sync_queue_repair(step integer) RETURNS TABLE(repaired uuid, problem text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET jit TO 'off'
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    place sync_queue_walk;
    walked record;
    held sync_jobs;
    steps int := 0;
    is_due boolean := false;
BEGIN
    SELECT * INTO place FROM sync_queue_walk FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    FOR walked IN
        SELECT j.created_at, j.job_id, (j.status = 'queued' OR j.lease IS NOT NULL) AND NOT sync_queue_has(j) AS is_missing
        FROM sync_jobs AS j
        WHERE (j.created_at, j.job_id) > (place.created_at, place.job_id)
        ORDER BY j.created_at, j.job_id
        LIMIT step
    LOOP
        steps := steps + 1;
        place.created_at := walked.created_at;
        place.job_id := walked.job_id;
        CONTINUE WHEN NOT walked.is_missing;
        SELECT * INTO held FROM sync_jobs AS j WHERE j.job_id = walked.job_id FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND OR NOT (held.status = 'queued' OR held.lease IS NOT NULL) OR sync_queue_has(held);
        UPDATE sync_jobs AS j SET status = 'queued', lease = NULL, worker = NULL
        WHERE j.job_id = held.job_id AND j.lease IS NOT NULL;
        INSERT INTO sync_queue (job_id, user_id, priority, run_at)
        VALUES (held.job_id, held.user_id, held.priority, held.run_at);
        is_due := is_due OR held.run_at <= clock_timestamp();
        repaired := held.job_id;
        problem := 'missing';
        RETURN NEXT;
    END LOOP;
    IF is_due THEN
        PERFORM sync_queue_wake();
    END IF;
    IF steps < step THEN
        place := ('-infinity', '00000000-0000-0000-0000-000000000000');
    END IF;
    UPDATE sync_queue_walk SET created_at = place.created_at, job_id = place.job_id;
    FOR walked IN
        SELECT q.ctid AS place, q.job_id
        FROM (
            (SELECT ctid, * FROM sync_queue WHERE lease IS NOT NULL AND lease_expires_at < clock_timestamp() LIMIT step)
            UNION ALL
            (SELECT ctid, * FROM sync_queue WHERE lease IS NULL AND NOT is_parked ORDER BY priority, run_at, job_id LIMIT step)
            UNION ALL
            (SELECT ctid, * FROM sync_queue WHERE is_parked ORDER BY user_id, priority, run_at, job_id LIMIT step)
        ) AS q
        WHERE (SELECT j.user_id = q.user_id AND j.lease IS NOT DISTINCT FROM q.lease
                   AND (j.lease IS NOT NULL OR j.status = 'queued' AND j.priority = q.priority AND j.run_at = q.run_at)
               FROM sync_jobs AS j WHERE j.job_id = q.job_id) IS NOT TRUE
    LOOP
        -- Its record is gone, or is locked here, and then the row is read once more.
        SELECT * INTO held FROM sync_jobs AS j WHERE j.job_id = walked.job_id FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND AND EXISTS (SELECT FROM sync_jobs AS j WHERE j.job_id = walked.job_id);
        DELETE FROM sync_queue AS q
        WHERE q.ctid = walked.place AND q.job_id = walked.job_id
            AND (held.job_id IS NULL OR held.user_id <> q.user_id OR held.lease IS DISTINCT FROM q.lease
                 OR held.lease IS NULL
                    AND (held.status <> 'queued' OR held.priority <> q.priority OR held.run_at <> q.run_at));
        CONTINUE WHEN NOT FOUND;
        repaired := walked.job_id;
        problem := 'surplus';
        RETURN NEXT;
    END LOOP;
END
$$;

CREATE FUNCTION public.sync_queue_unpark(of_user character varying, wakes boolean) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    due_at timestamptz;
BEGIN
    UPDATE sync_queue SET is_parked = false
    WHERE ctid = (
        SELECT q.ctid
        FROM sync_queue AS q
        CROSS JOIN LATERAL (
            SELECT FROM sync_jobs AS j WHERE j.job_id = q.job_id AND j.status = 'queued' FOR NO KEY UPDATE SKIP LOCKED
        ) AS record
        WHERE q.user_id = of_user AND q.is_parked
        ORDER BY q.priority, q.run_at, q.job_id
        LIMIT 1)
    RETURNING run_at INTO due_at;
    IF due_at IS NULL OR due_at > clock_timestamp() THEN
        RETURN false;
    END IF;
    IF wakes THEN
        PERFORM sync_queue_wake();
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION public.sync_queue_wake() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    chosen uuid;
BEGIN
    SELECT instance INTO chosen FROM sync_workers
    WHERE wakeable AND last_seen_at > now() - interval '5 minutes'
    ORDER BY running >= slots, last_seen_at < now() - interval '45 seconds', running::float8 / greatest(slots, 1), instance
    LIMIT 1;
    IF FOUND THEN
        PERFORM pg_notify('sync_jobs', chosen::text);
    END IF;
END
$$;

CREATE FUNCTION public.sync_state_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO sync_cursors AS c (user_id, keep_modified_at, version)
    SELECT DISTINCT user_id, NULL::timestamptz, 1 FROM deleted
    ON CONFLICT (user_id) DO UPDATE
    SET keep_modified_at = NULL, notion_database_id = NULL, version = c.version + 1, updated_at = now();
    DELETE FROM sync_failed_notes AS f USING deleted AS d
    WHERE f.user_id = d.user_id AND f.keep_note_id = d.keep_note_id;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.sync_state_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO sync_cursors AS c (user_id, keep_modified_at, version)
    SELECT user_id, NULL::timestamptz, 1
    FROM (SELECT user_id FROM sync_cursors UNION SELECT user_id FROM credentials UNION SELECT user_id FROM sync_queue) AS known
    ON CONFLICT (user_id) DO UPDATE
    SET keep_modified_at = NULL, notion_database_id = NULL, version = c.version + 1, updated_at = now();
    DELETE FROM sync_failed_notes;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.sync_take_over(is_first boolean) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    taken sync_takeovers;
    utc   CONSTANT timestamp := timezone('utc', now());
BEGIN
    SELECT count(*) INTO taken.jobs FROM sync_jobs;
    SELECT count(*) INTO taken.states FROM sync_state;
    SELECT count(*) INTO taken.credentials FROM credentials;
    SELECT count(*) INTO taken.logs FROM sync_logs;
    IF taken.jobs + taken.states + taken.credentials + taken.logs = 0 THEN
        RETURN NULL;
    END IF;

    WITH stale AS (
        SELECT job_id, status FROM sync_jobs AS s
        WHERE created_at < utc - interval '1 day'
            AND (status = 'running' AND lease IS NULL
                OR status = 'queued' AND (is_first
                    OR attempt = 0 AND started_at IS NULL
                        -- Times at the ends of their type can't be reckoned with, and are of nobody's INSERT.
                        AND CASE WHEN created_at > '0001-01-01' AND created_at < '9999-12-31'
                            THEN run_at BETWEEN timezone('utc', created_at - interval '60 s')
                                AND timezone('utc', created_at + interval '60 s') END
                        AND NOT EXISTS (SELECT FROM sync_queue AS q
                                        WHERE q.user_id = s.user_id AND q.job_id = s.job_id AND q.is_parked)))
        FOR UPDATE
    ), failed AS (
        UPDATE sync_jobs AS j
        SET status = 'failed', completed_at = utc,
            error_message = CASE stale.status
                WHEN 'queued' THEN 'Never started by the service this one replaced. Start a new sync for this user.'
                ELSE 'Interrupted in the service this one replaced. Start a new sync for this user.' END
        FROM stale WHERE j.job_id = stale.job_id
        RETURNING stale.status, j.created_at
    )
    SELECT count(*) FILTER (WHERE status = 'queued'), count(*) FILTER (WHERE status = 'running'), min(created_at)
    INTO taken.failed_queued, taken.failed_running, taken.oldest_failed_at FROM failed;

    -- Nobody is to be alerted of them.
    DELETE FROM sync_alert_events
    WHERE error = ANY (ARRAY['Never started by the service this one replaced. Start a new sync for this user.',
                             'Interrupted in the service this one replaced. Start a new sync for this user.']);

    UPDATE sync_jobs SET status = 'queued' WHERE status = 'running' AND lease IS NULL;
    GET DIAGNOSTICS taken.requeued = ROW_COUNT;
    SELECT count(*) INTO taken.queued FROM sync_jobs WHERE status = 'queued';

    -- Its pages lie in the database that it found in the credentials. (The first time, 0009_page_databases_online.sql does it.)
    IF NOT is_first THEN
        UPDATE sync_state AS s SET notion_database_id = sync_notion_database(c.notion_database_id)
        FROM credentials AS c WHERE c.user_id = s.user_id AND s.notion_database_id IS NULL;
    END IF;

    -- The other service wrote times by its own clock, which may be a little ahead.
    SELECT coalesce(max(completed_at), utc) INTO taken.history_until FROM sync_jobs
    WHERE status IN ('completed', 'failed', 'cancelled') AND completed_at < utc + interval '1 hour';
    INSERT INTO sync_takeovers (history_until, jobs, states, credentials, logs, failed_queued, failed_running, requeued,
        queued, oldest_failed_at)
    VALUES (greatest(taken.history_until, utc), taken.jobs, taken.states, taken.credentials, taken.logs,
        taken.failed_queued, taken.failed_running, taken.requeued, taken.queued, taken.oldest_failed_at)
    RETURNING id INTO taken.id;
    RETURN taken.id;
END
$$;

CREATE TABLE public.credentials (
    user_id character varying(255) NOT NULL,
    google_oauth_token text NOT NULL,
    notion_api_token text NOT NULL,
    notion_database_id character varying(255) NOT NULL,
    updated_at timestamp without time zone DEFAULT timezone('utc'::text, now()) NOT NULL
);

CREATE TABLE public.sync_alert_channels (
    channel text NOT NULL,
    target text NOT NULL,
    window_started_at timestamp with time zone DEFAULT now() NOT NULL,
    sent integer DEFAULT 0 NOT NULL,
    disabled_at timestamp with time zone,
    disabled_reason text
)
WITH (fillfactor='50');

CREATE TABLE public.sync_alert_deliveries (
    notice_id uuid NOT NULL,
    channel text NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    lease bigint,
    lease_expires_at timestamp with time zone,
    worker text,
    last_error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT sync_alert_deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text, 'held_back'::text, 'silenced'::text])))
)
WITH (fillfactor='70');

CREATE TABLE public.sync_alert_events (
    id bigint NOT NULL,
    kind text NOT NULL,
    job_id uuid NOT NULL,
    user_id character varying(255) NOT NULL,
    error text,
    occurred_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');

ALTER TABLE public.sync_alert_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sync_alert_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.sync_alert_notices (
    id uuid DEFAULT (md5((((random())::text || (clock_timestamp())::text) || (pg_backend_pid())::text)))::uuid NOT NULL,
    event text NOT NULL,
    alert_id bigint,
    channel text,
    count bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    expanded_at timestamp with time zone,
    CONSTRAINT sync_alert_notices_check CHECK (((event = 'held_back'::text) = (alert_id IS NULL))),
    CONSTRAINT sync_alert_notices_check1 CHECK (((event = 'held_back'::text) = (channel IS NOT NULL))),
    CONSTRAINT sync_alert_notices_event_check CHECK ((event = ANY (ARRAY['trigger'::text, 'repeat'::text, 'resolve'::text, 'held_back'::text])))
);

CREATE TABLE public.sync_alert_rounds (
    name text NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.sync_alert_silences (
    key text NOT NULL,
    until timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.sync_alerts (
    id bigint NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    count bigint NOT NULL,
    job_id uuid,
    user_id character varying(255),
    users text[] DEFAULT '{}'::text[] NOT NULL,
    error text,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    notified_at timestamp with time zone,
    notified_count bigint DEFAULT 0 NOT NULL,
    resolved_at timestamp with time zone
)
WITH (fillfactor='70');

ALTER TABLE public.sync_alerts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sync_alerts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.sync_cursors (
    user_id character varying(255) NOT NULL,
    keep_modified_at timestamp with time zone,
    version bigint DEFAULT 0 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    notion_database_id character varying(255)
);

CREATE TABLE public.sync_failed_notes (
    user_id character varying(255) NOT NULL,
    keep_note_id character varying(255) NOT NULL,
    keep_modified_at timestamp with time zone,
    code text NOT NULL,
    error text NOT NULL,
    failures integer DEFAULT 1 NOT NULL,
    job_id uuid NOT NULL,
    first_failed_at timestamp with time zone DEFAULT now() NOT NULL,
    last_failed_at timestamp with time zone DEFAULT now() NOT NULL,
    content_hash text,
    notion_database_id character varying(255)
);

CREATE TABLE public.sync_installation_keys (
    name text NOT NULL,
    value text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.sync_intents (
    user_id character varying(255) NOT NULL,
    keep_note_id character varying(255) NOT NULL,
    operation text NOT NULL,
    notion_page_id character varying(255),
    idempotency_key uuid NOT NULL,
    content_hash text NOT NULL,
    keep_modified_at timestamp with time zone NOT NULL,
    job_id uuid NOT NULL,
    lease bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    unknown_at timestamp with time zone,
    unknown_count integer DEFAULT 0 NOT NULL,
    resolution text,
    reason text,
    request bigint DEFAULT 0 NOT NULL,
    previous_request bigint DEFAULT 0 NOT NULL,
    open_until timestamp with time zone,
    notion_database_id character varying(255),
    CONSTRAINT sync_intents_operation_check CHECK ((operation = ANY (ARRAY['create'::text, 'update'::text]))),
    CONSTRAINT sync_intents_resolution_check CHECK ((resolution = ANY (ARRAY['retry'::text, 'hold'::text])))
);

CREATE SEQUENCE public.sync_lease_seq
    START WITH 1
    INCREMENT BY 1024
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.sync_logs (
    id bigint NOT NULL,
    job_id uuid NOT NULL,
    keep_note_id character varying(255),
    level character varying(20) NOT NULL,
    message text NOT NULL,
    created_at timestamp without time zone DEFAULT timezone('utc'::text, now()) NOT NULL
);

CREATE SEQUENCE public.sync_logs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.sync_logs_id_seq OWNED BY public.sync_logs.id;

CREATE TABLE public.sync_metrics (
    name text NOT NULL,
    labels text DEFAULT ''::text NOT NULL,
    part text NOT NULL,
    worker text DEFAULT ''::text NOT NULL,
    value double precision NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='500', autovacuum_vacuum_cost_delay='0');

CREATE TABLE public.sync_peer_health (
    peer text NOT NULL,
    down_since timestamp with time zone,
    is_silent boolean DEFAULT false NOT NULL,
    reason text,
    checked_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.sync_peer_successes (
    peer text NOT NULL,
    succeeded_at timestamp with time zone NOT NULL
);

CREATE TABLE public.sync_pruning (
    instance uuid,
    held_until timestamp with time zone NOT NULL
);

CREATE TABLE public.sync_queue (
    job_id uuid NOT NULL,
    run_at timestamp with time zone NOT NULL,
    lease bigint,
    lease_expires_at timestamp with time zone,
    priority smallint NOT NULL,
    is_parked boolean DEFAULT false NOT NULL,
    is_renewed boolean DEFAULT false NOT NULL,
    user_id character varying(255) NOT NULL,
    CONSTRAINT sync_queue_check CHECK (((lease IS NULL) OR (NOT is_parked)))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_vacuum_cost_delay='0');

CREATE TABLE public.sync_queue_walk (
    created_at timestamp without time zone NOT NULL,
    job_id uuid NOT NULL
);

CREATE TABLE public.sync_state (
    id bigint NOT NULL,
    user_id character varying(255) NOT NULL,
    keep_note_id character varying(255) NOT NULL,
    notion_page_id character varying(255) NOT NULL,
    last_synced_at timestamp without time zone DEFAULT timezone('utc'::text, now()) NOT NULL,
    keep_modified_at timestamp without time zone NOT NULL,
    content_hash text,
    hash_modified_at timestamp without time zone,
    untitled_number integer,
    notion_database_id character varying(255)
)
WITH (fillfactor='85', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.05');

CREATE SEQUENCE public.sync_state_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.sync_state_id_seq OWNED BY public.sync_state.id;

CREATE TABLE public.sync_surplus_pages (
    user_id character varying(255) NOT NULL,
    keep_note_id character varying(255) NOT NULL,
    notion_page_id character varying(255) NOT NULL,
    notion_database_id character varying(255) NOT NULL,
    idempotency_key uuid NOT NULL,
    job_id uuid NOT NULL,
    found_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.sync_takeovers (
    id bigint NOT NULL,
    taken_over_at timestamp with time zone DEFAULT now() NOT NULL,
    history_until timestamp without time zone NOT NULL,
    jobs bigint NOT NULL,
    states bigint NOT NULL,
    credentials bigint NOT NULL,
    logs bigint NOT NULL,
    failed_queued bigint NOT NULL,
    failed_running bigint NOT NULL,
    requeued bigint NOT NULL,
    queued bigint NOT NULL,
    oldest_failed_at timestamp without time zone
);

ALTER TABLE public.sync_takeovers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sync_takeovers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.sync_throughput (
    minute timestamp with time zone NOT NULL,
    worker text NOT NULL,
    completed bigint DEFAULT 0 NOT NULL,
    failed bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.sync_workers (
    instance uuid NOT NULL,
    worker text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    slots integer NOT NULL,
    running integer DEFAULT 0 NOT NULL,
    wakeable boolean DEFAULT true NOT NULL,
    wakeable_seq integer DEFAULT 0 NOT NULL,
    version text NOT NULL,
    listening boolean,
    first_lease bigint,
    present_until timestamp with time zone
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.sync_logs ALTER COLUMN id SET DEFAULT nextval('public.sync_logs_id_seq'::regclass);

ALTER TABLE ONLY public.sync_state ALTER COLUMN id SET DEFAULT nextval('public.sync_state_id_seq'::regclass);

ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.sync_alert_channels
    ADD CONSTRAINT sync_alert_channels_pkey PRIMARY KEY (channel);

ALTER TABLE ONLY public.sync_alert_deliveries
    ADD CONSTRAINT sync_alert_deliveries_pkey PRIMARY KEY (notice_id, channel);

ALTER TABLE ONLY public.sync_alert_events
    ADD CONSTRAINT sync_alert_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sync_alert_notices
    ADD CONSTRAINT sync_alert_notices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sync_alert_rounds
    ADD CONSTRAINT sync_alert_rounds_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.sync_alert_silences
    ADD CONSTRAINT sync_alert_silences_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.sync_alerts
    ADD CONSTRAINT sync_alerts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sync_cursors
    ADD CONSTRAINT sync_cursors_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.sync_failed_notes
    ADD CONSTRAINT sync_failed_notes_pkey PRIMARY KEY (user_id, keep_note_id);

ALTER TABLE ONLY public.sync_installation_keys
    ADD CONSTRAINT sync_installation_keys_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.sync_intents
    ADD CONSTRAINT sync_intents_pkey PRIMARY KEY (user_id, keep_note_id);

ALTER TABLE public.sync_jobs
    ADD CONSTRAINT sync_jobs_lease_is_of_running CHECK (((lease IS NULL) OR ((status)::text = 'running'::text))) NOT VALID;

ALTER TABLE ONLY public.sync_jobs
    ADD CONSTRAINT sync_jobs_pkey PRIMARY KEY (job_id);

ALTER TABLE ONLY public.sync_logs
    ADD CONSTRAINT sync_logs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sync_metrics
    ADD CONSTRAINT sync_metrics_pkey PRIMARY KEY (name, labels, part, worker);

ALTER TABLE ONLY public.sync_peer_health
    ADD CONSTRAINT sync_peer_health_pkey PRIMARY KEY (peer);

ALTER TABLE ONLY public.sync_peer_successes
    ADD CONSTRAINT sync_peer_successes_pkey PRIMARY KEY (peer);

ALTER TABLE ONLY public.sync_state
    ADD CONSTRAINT sync_state_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sync_state
    ADD CONSTRAINT sync_state_user_id_keep_note_id_key UNIQUE (user_id, keep_note_id);

ALTER TABLE ONLY public.sync_surplus_pages
    ADD CONSTRAINT sync_surplus_pages_pkey PRIMARY KEY (user_id, keep_note_id, notion_page_id);

ALTER TABLE ONLY public.sync_takeovers
    ADD CONSTRAINT sync_takeovers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sync_throughput
    ADD CONSTRAINT sync_throughput_pkey PRIMARY KEY (minute, worker);

ALTER TABLE ONLY public.sync_workers
    ADD CONSTRAINT sync_workers_pkey PRIMARY KEY (instance);

CREATE INDEX sync_alert_deliveries_failed ON public.sync_alert_deliveries USING btree (finished_at) WHERE (state = 'failed'::text);

CREATE INDEX sync_alert_deliveries_pending ON public.sync_alert_deliveries USING btree (channel, run_at) WHERE (state = 'pending'::text);

CREATE INDEX sync_alert_notices_created ON public.sync_alert_notices USING btree (created_at);

CREATE UNIQUE INDEX sync_alert_notices_held_back ON public.sync_alert_notices USING btree (channel) WHERE ((event = 'held_back'::text) AND (expanded_at IS NULL));

CREATE INDEX sync_alert_notices_of_alert ON public.sync_alert_notices USING btree (alert_id, created_at);

CREATE INDEX sync_alerts_key ON public.sync_alerts USING btree (key);

CREATE UNIQUE INDEX sync_alerts_open ON public.sync_alerts USING btree (key) WHERE (resolved_at IS NULL);

CREATE INDEX sync_alerts_resolved ON public.sync_alerts USING btree (resolved_at) WHERE (resolved_at IS NOT NULL);

CREATE INDEX sync_intents_unknown ON public.sync_intents USING btree (unknown_at) WHERE (unknown_at IS NOT NULL);

CREATE INDEX sync_jobs_recent ON public.sync_jobs USING btree (created_at DESC, job_id DESC);

CREATE INDEX sync_jobs_unsuccessful ON public.sync_jobs USING btree (created_at DESC, job_id DESC) WHERE (failed_at IS NOT NULL);

CREATE INDEX sync_jobs_user_created ON public.sync_jobs USING btree (user_id, created_at DESC);

CREATE INDEX sync_logs_job ON public.sync_logs USING btree (job_id);

CREATE INDEX sync_queue_claim ON public.sync_queue USING btree (priority, run_at, job_id) WHERE ((lease IS NULL) AND (NOT is_parked));

CREATE INDEX sync_queue_parked ON public.sync_queue USING btree (user_id, priority, run_at, job_id) WHERE is_parked;

CREATE UNIQUE INDEX sync_queue_running ON public.sync_queue USING btree (user_id) WHERE (lease IS NOT NULL);

CREATE TRIGGER sync_jobs_changed BEFORE UPDATE ON public.sync_jobs FOR EACH ROW WHEN (((NOT (new.lease IS DISTINCT FROM old.lease)) AND (((new.status)::text IS DISTINCT FROM (old.status)::text) OR (new.run_at <> old.run_at) OR (new.priority <> old.priority) OR ((new.user_id)::text <> (old.user_id)::text) OR (new.job_id <> old.job_id)))) EXECUTE FUNCTION public.sync_jobs_changed();

CREATE TRIGGER sync_jobs_deleted AFTER DELETE ON public.sync_jobs FOR EACH ROW WHEN ((((old.status)::text = 'queued'::text) OR (old.lease IS NOT NULL))) EXECUTE FUNCTION public.sync_jobs_deleted();

CREATE TRIGGER sync_jobs_inserted AFTER INSERT ON public.sync_jobs REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION public.sync_jobs_inserted();

CREATE TRIGGER sync_jobs_inserted_unsuccessful BEFORE INSERT ON public.sync_jobs FOR EACH ROW WHEN (((new.status)::text = ANY ((ARRAY['failed'::character varying, 'cancelled'::character varying])::text[]))) EXECUTE FUNCTION public.sync_jobs_inserted_unsuccessful();

CREATE TRIGGER sync_jobs_truncated AFTER TRUNCATE ON public.sync_jobs FOR EACH STATEMENT EXECUTE FUNCTION public.sync_jobs_truncated();

CREATE TRIGGER sync_state_deleted AFTER DELETE ON public.sync_state REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION public.sync_state_deleted();

CREATE TRIGGER sync_state_truncated AFTER TRUNCATE ON public.sync_state FOR EACH STATEMENT EXECUTE FUNCTION public.sync_state_truncated();

ALTER TABLE ONLY public.sync_alert_deliveries
    ADD CONSTRAINT sync_alert_deliveries_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.sync_alert_notices(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sync_alert_notices
    ADD CONSTRAINT sync_alert_notices_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES public.sync_alerts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sync_logs
    ADD CONSTRAINT sync_logs_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.sync_jobs(job_id);

