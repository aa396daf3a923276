-- What the record needs for its history. An adopted table may hold millions of rows and be in use, so this runs beside the
-- programs that use it: no step holds a lock that keeps rows from being read or written while it reads the table.

-- STEP
-- Lists of jobs, newest first; pruning and repair walk it from the other end.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_jobs_recent ON sync_jobs (created_at DESC, job_id DESC);
-- STEP
-- Lists of a user's jobs, newest first, also where thousands came with one statement and have one time.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_jobs_user_recent ON sync_jobs (user_id, created_at DESC, job_id DESC);
-- STEP
-- The index of an adopted table that the last one serves for as well; a second copy would only cost.
-- locks: ACCESS EXCLUSIVE on sync_jobs for a moment, where there is such an index
DO $$
DECLARE
    narrower text;
BEGIN
    SET LOCAL lock_timeout = '2s';
    FOR narrower IN SELECT indexname FROM pg_indexes
                    WHERE schemaname = current_schema() AND tablename = 'sync_jobs'
                      AND indexdef LIKE 'CREATE INDEX % USING btree (user_id, created_at DESC)'
    LOOP
        EXECUTE format('DROP INDEX %I', narrower);
    END LOOP;
END
$$;
-- STEP
-- Lists of failed and cancelled jobs, the few among very many that are not.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_jobs_unsuccessful ON sync_jobs (created_at DESC, job_id DESC)
    WHERE failed_at IS NOT NULL;
-- STEP
-- Failed and cancelled jobs that are there already enter that index, a thousand a transaction.
-- locks: ROW EXCLUSIVE on sync_jobs
DO $$
DECLARE
    unmarked uuid[];
BEGIN
    SELECT array_agg(job_id) INTO unmarked FROM sync_jobs WHERE status IN ('failed', 'cancelled') AND failed_at IS NULL;
    FOR place IN 1..coalesce(cardinality(unmarked), 0) BY 1000 LOOP
        UPDATE sync_jobs SET failed_at = timezone('utc', coalesce(completed_at, created_at))
        WHERE job_id = ANY (unmarked[place:place + 999]) AND status IN ('failed', 'cancelled') AND failed_at IS NULL;
        COMMIT;
    END LOOP;
END
$$;
-- STEP
-- On an empty table all indexes that have job_id cost the same, and of those PostgreSQL takes the newest: a worker that starts
-- then would look jobs up by sync_jobs_recent until the tables are next analyzed, reading all of it for each. So the primary
-- key of an empty table is made once more, after the others. Foreign keys to it are made again as they were.
-- locks: ACCESS EXCLUSIVE on sync_jobs, sync_logs, where sync_jobs is empty
DO $$
DECLARE
    key record;
    reference record;
    made_again text[] := '{}';
BEGIN
    IF EXISTS (SELECT FROM sync_jobs) THEN RETURN; END IF;
    SET LOCAL lock_timeout = '2s';
    LOCK TABLE sync_jobs, sync_logs IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM sync_jobs) THEN RETURN; END IF;
    SELECT conname, pg_get_constraintdef(oid) AS definition INTO STRICT key
    FROM pg_constraint WHERE conrelid = 'sync_jobs'::regclass AND contype = 'p';
    FOR reference IN SELECT conrelid::regclass AS referencing, conname, pg_get_constraintdef(oid) AS definition
                     FROM pg_constraint WHERE confrelid = 'sync_jobs'::regclass AND contype = 'f'
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', reference.referencing, reference.conname);
        made_again := made_again || format('ALTER TABLE %s ADD CONSTRAINT %I %s',
            reference.referencing, reference.conname, reference.definition);
    END LOOP;
    EXECUTE format('ALTER TABLE sync_jobs DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', key.conname, key.conname, key.definition);
    FOR place IN 1..cardinality(made_again) LOOP EXECUTE made_again[place]; END LOOP;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
    -- A view, or another owner's foreign key: as it is, it is right, only slower at first.
    RAISE NOTICE 'The primary key of sync_jobs stays as it is: %', SQLERRM;
END
$$;
