-- Claims and completions, the statements that run once a job, no longer pay for triggers that have nothing to do for them.

-- Only a running job has a lease, so that whoever matches job and lease need not match the status too. That statements do
-- not name the status matters: with it the planner likes to read `sync_jobs_one_running`, all of it, for every job.
ALTER TABLE sync_jobs ADD CONSTRAINT sync_jobs_lease_is_of_running CHECK (lease IS NULL OR status = 'running');

-- What must be true of a row after a change of status, whoever made it. Not asked for a claim, which sees to it itself, nor
-- when the holder completes its job. A completed job keeps the name of the worker that did it; every other change clears it,
-- which tells the two apart afterwards.
CREATE OR REPLACE FUNCTION sync_jobs_status_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'running' THEN
        -- A worker that ends its run sets lease to NULL itself. Anyone else takes the job away from its worker, which then
        -- has to hear of it at once.
        IF NEW.lease IS NOT DISTINCT FROM OLD.lease THEN
            PERFORM pg_notify('sync_jobs_revoked', '');
        END IF;
        NEW.lease := NULL;
        NEW.lease_expires_at := NULL;
    END IF;
    NEW.worker := NULL;
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

DROP TRIGGER sync_jobs_status_changes ON sync_jobs;
CREATE TRIGGER sync_jobs_status_changes BEFORE UPDATE ON sync_jobs
    FOR EACH ROW WHEN (
        OLD.status IS DISTINCT FROM NEW.status AND NEW.status <> 'running'
        AND NOT (NEW.status = 'completed' AND OLD.status = 'running' AND OLD.lease IS NOT NULL AND NEW.lease IS NULL))
    EXECUTE FUNCTION sync_jobs_status_changes();

-- Brings back the user's next job and wakes the workers. One look into `sync_jobs_parked` per ended run, and more only for a
-- user who has jobs parked. Not asked when a worker has completed its job: it looks itself,
-- for all jobs that it completes together.
CREATE OR REPLACE FUNCTION sync_jobs_status_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF OLD.status = 'running'
        AND EXISTS (SELECT FROM sync_jobs WHERE user_id = OLD.user_id AND status = 'queued' AND parked)
    THEN
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

DROP TRIGGER sync_jobs_status_changed ON sync_jobs;
CREATE TRIGGER sync_jobs_status_changed AFTER UPDATE ON sync_jobs
    FOR EACH ROW WHEN (
        OLD.status IS DISTINCT FROM NEW.status AND NEW.status <> 'running'
        AND NOT (NEW.status = 'completed' AND OLD.status = 'running' AND NEW.worker IS NOT NULL))
    EXECUTE FUNCTION sync_jobs_status_changed();

-- The way to a user's next parked job must not depend on statistics either.
ALTER FUNCTION sync_jobs_unpark_next(varchar) SET enable_seqscan = off;
ALTER FUNCTION sync_jobs_unpark_next(varchar) SET enable_bitmapscan = off;
ALTER FUNCTION sync_jobs_unpark_next(varchar) SET jit = off;

-- Writes a job's progress if the lease is still held, and locks the row until the transaction ends: nobody can take the job
-- away between this and the commit. Raises SY001 if it is not held, which undoes the whole transaction: statements that are
-- sent together with this one need not wait for its answer.
CREATE FUNCTION sync_jobs_progress(job uuid, held bigint, total int, processed int, failed int) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    UPDATE sync_jobs SET total_notes = total, processed_notes = processed, failed_notes = failed
    WHERE job_id = job AND lease = held;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease of job % is no longer held', job USING ERRCODE = 'SY001';
    END IF;
END
$$;

-- Wakes one worker, not all: the payload is its name. Every other one that hears of it looks a moment later, in case this one
-- is busy or dead, and finds nothing to do; many notifications in that moment cost it one look. Which one is left to chance
-- among those that want to be woken; the queue's order does not depend on it.
CREATE OR REPLACE FUNCTION sync_jobs_wake() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    chosen text;
BEGIN
    SELECT worker INTO chosen FROM sync_workers
    WHERE wakeable AND last_seen_at > now() - interval '5 minutes'
    ORDER BY running >= slots, random() LIMIT 1;
    IF FOUND THEN
        PERFORM pg_notify('sync_jobs', chosen);
    END IF;
END
$$;
