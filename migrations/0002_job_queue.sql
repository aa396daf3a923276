-- sync_jobs becomes a queue. Every column has a default, so that the gateway's plain INSERT stays all that is needed.

ALTER TABLE sync_jobs
    ADD COLUMN priority         smallint NOT NULL DEFAULT 0,       -- smaller first
    ADD COLUMN run_at           timestamptz NOT NULL DEFAULT now(), -- due from then on
    ADD COLUMN attempt          int NOT NULL DEFAULT 0,
    ADD COLUMN max_attempts     int NOT NULL DEFAULT 5,
    ADD COLUMN crashes          int NOT NULL DEFAULT 0,             -- workers that died with this job
    ADD COLUMN max_crashes      int NOT NULL DEFAULT 3,             -- one more fails it
    ADD COLUMN lease            bigint,                             -- the holder's number; new at every claim
    ADD COLUMN lease_expires_at timestamptz,
    ADD COLUMN worker           text,
    ADD COLUMN started_at       timestamptz,                        -- first claim; a retry keeps it
    ADD COLUMN last_error       text,
    ADD COLUMN traceparent      text,
    ADD COLUMN parked           boolean NOT NULL DEFAULT false;     -- waits for the user's running job, see below

-- A lease is a number never given twice. Attempt numbers go back (snooze, release) and so fence nothing.
CREATE SEQUENCE sync_lease_seq AS bigint;

-- Taking over what the service that this one replaces left in the tables: here, and after a rollback to it by
-- `syncctl migrate --take-over`.

-- One row for each take-over.
CREATE TABLE sync_takeovers (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    taken_over_at     timestamptz NOT NULL DEFAULT now(),
    -- Jobs that ended up to here are history of the other service: they are kept until somebody sets a retention.
    history_until     timestamp NOT NULL,
    jobs              bigint NOT NULL, -- rows found, by table
    states            bigint NOT NULL,
    credentials       bigint NOT NULL,
    logs              bigint NOT NULL,
    failed_queued     bigint NOT NULL, -- jobs marked failed that were queued
    failed_running    bigint NOT NULL, -- jobs marked failed that were running
    requeued          bigint NOT NULL, -- running jobs of the last day, queued again
    oldest_failed_at  timestamp        -- when the oldest of the failed jobs was created
);

-- Ends what the other service left behind, and returns the number of the row that says what was done; NULL where there is
-- nothing to take over: the four tables are empty.
--
-- That service never ran a job from the table, so a row that is still `queued` waits for nobody: run now, a full sync of
-- months ago would surprise its user. What was created in the last day is run, as its user still waits for it. A job of
-- this service is never touched: a running one has a lease, one that waits for a retry has an attempt, and one enqueued
-- for later is not due.
CREATE FUNCTION sync_take_over() RETURNS bigint LANGUAGE plpgsql AS $$
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
        SELECT job_id, status FROM sync_jobs
        WHERE created_at < utc - interval '1 day'
            AND (status = 'queued' AND attempt = 0 AND started_at IS NULL AND run_at <= now()
                OR status = 'running' AND lease IS NULL)
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

    UPDATE sync_jobs SET status = 'queued' WHERE status = 'running' AND lease IS NULL;
    GET DIAGNOSTICS taken.requeued = ROW_COUNT;

    -- The other service wrote times by its own clock, which may be a little ahead.
    SELECT coalesce(max(completed_at), utc) INTO taken.history_until FROM sync_jobs
    WHERE status IN ('completed', 'failed', 'cancelled') AND completed_at < utc + interval '1 hour';
    INSERT INTO sync_takeovers (history_until, jobs, states, credentials, logs, failed_queued, failed_running, requeued,
        oldest_failed_at)
    VALUES (greatest(taken.history_until, utc), taken.jobs, taken.states, taken.credentials, taken.logs,
        taken.failed_queued, taken.failed_running, taken.requeued, taken.oldest_failed_at)
    RETURNING id INTO taken.id;
    RETURN taken.id;
END
$$;

REVOKE EXECUTE ON FUNCTION sync_take_over() FROM PUBLIC;

SELECT sync_take_over();

-- Claim: the queue in its order. Finished rows are in none of these partial indexes.
CREATE INDEX sync_jobs_claim ON sync_jobs (priority, run_at, job_id) WHERE status = 'queued' AND NOT parked;
-- Promise: one running job per user, whatever the number of replicas. Also serves rescue, which reads every running row.
CREATE UNIQUE INDEX sync_jobs_one_running ON sync_jobs (user_id) WHERE status = 'running';
-- The next of a user's parked jobs.
CREATE INDEX sync_jobs_parked ON sync_jobs (user_id, priority, run_at, job_id) WHERE status = 'queued' AND parked;
-- Prune: finished jobs by age.
CREATE INDEX sync_jobs_finished ON sync_jobs (completed_at) WHERE status IN ('completed', 'failed', 'cancelled');

-- Updated all day: room for heap-only updates of progress and lease, and vacuum early rather than at 20 %.
ALTER TABLE sync_jobs SET (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

-- Workers are rows too: who is there, with how many slots, and who wants to be woken.
CREATE TABLE sync_workers (
    worker       text PRIMARY KEY,
    started_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    slots        int NOT NULL,
    running      int NOT NULL DEFAULT 0,
    wakeable     boolean NOT NULL DEFAULT true, -- false while it finds the queue full at every claim
    version      text NOT NULL
) WITH (fillfactor = 50);

-- Wake the workers, if one of them sleeps. NOTIFY takes a database-wide lock at commit: in every enqueuing transaction
-- it would cost much of the enqueue rate, so it is left out while all workers find work without it. A worker whose
-- wish comes a moment too late finds the job by its poll.
-- SECURITY DEFINER: the gateway's role may insert jobs and know nothing of sync_workers.
CREATE FUNCTION sync_jobs_wake() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM sync_workers WHERE wakeable AND last_seen_at > now() - interval '5 minutes') THEN
        PERFORM pg_notify('sync_jobs', '');
    END IF;
END
$$;

CREATE FUNCTION sync_jobs_inserted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM sync_jobs_wake();
    RETURN NULL;
END
$$;

CREATE TRIGGER sync_jobs_inserted AFTER INSERT ON sync_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION sync_jobs_inserted();

-- What must be true of a row after a change of status, whoever made it: a worker, psql or the admin interface.
CREATE FUNCTION sync_jobs_status_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'running' THEN
        -- A worker that finishes its job sets lease to NULL itself. Anyone else takes the job away from its worker,
        -- which then has to hear of it at once.
        IF NEW.lease IS NOT DISTINCT FROM OLD.lease THEN
            PERFORM pg_notify('sync_jobs_revoked', '');
        END IF;
        NEW.lease := NULL;
        NEW.lease_expires_at := NULL;
        NEW.worker := NULL;
    END IF;
    NEW.parked := false;
    IF NEW.status IN ('completed', 'failed', 'cancelled') THEN
        IF NEW.completed_at IS NULL OR OLD.status IN ('queued', 'running') THEN
            NEW.completed_at := timezone('utc', clock_timestamp());
        END IF;
    ELSE
        NEW.completed_at := NULL;
    END IF;
    IF NEW.status = 'queued' AND OLD.status IN ('completed', 'failed', 'cancelled') THEN
        -- An operator's retry: full budgets, due now. A job that had completed starts afresh; any other goes on where it
        -- stopped, which is what started_at stands for.
        NEW.attempt := 0;
        NEW.crashes := 0;
        NEW.error_message := NULL;
        IF NEW.run_at = OLD.run_at THEN
            NEW.run_at := now();
        END IF;
        IF OLD.status = 'completed' THEN
            NEW.started_at := NULL;
        END IF;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER sync_jobs_status_changes BEFORE UPDATE ON sync_jobs
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION sync_jobs_status_changes();

-- Parking. A claim passes over the jobs of a user who has one running; ten thousand of them at the head of the queue would
-- slow every claim, so a claim that meets them parks them, out of its index. Whatever ends the running job brings the
-- user's next one back. The claim holds a share lock on the running row while it parks, so that no job can be parked
-- behind a job that has just ended.
CREATE FUNCTION sync_jobs_unpark_next(of_user varchar) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    UPDATE sync_jobs SET parked = false
    WHERE job_id = (SELECT job_id FROM sync_jobs
                    WHERE user_id = of_user AND status = 'queued' AND parked
                    ORDER BY priority, run_at, job_id LIMIT 1 FOR UPDATE SKIP LOCKED)
$$;

CREATE FUNCTION sync_jobs_status_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.status = 'running' THEN
        PERFORM sync_jobs_unpark_next(OLD.user_id);
    END IF;
    IF TG_OP = 'DELETE' THEN
        PERFORM pg_notify('sync_jobs_revoked', '');
    ELSIF NEW.status = 'queued' AND NEW.run_at <= clock_timestamp() THEN
        -- Not now(): a job handed back is due from a moment after its transaction began.
        PERFORM sync_jobs_wake();
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER sync_jobs_status_changed AFTER UPDATE ON sync_jobs
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION sync_jobs_status_changed();

CREATE TRIGGER sync_jobs_running_deleted AFTER DELETE ON sync_jobs
    FOR EACH ROW WHEN (OLD.status = 'running')
    EXECUTE FUNCTION sync_jobs_status_changed();
