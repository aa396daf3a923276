-- What the record needs for its history. An adopted table may hold millions of rows and be in use, so this runs beside the
-- programs that use it: no step holds a lock that keeps rows from being read or written while it reads the table.

-- STEP
-- Lists of jobs, newest first; pruning and repair walk it from the other end.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_jobs_recent ON sync_jobs (created_at DESC, job_id DESC);
-- STEP
-- Lists of failed and cancelled jobs, the few among very many that are not.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_jobs_unsuccessful ON sync_jobs (created_at DESC, job_id DESC)
    WHERE failed_at IS NOT NULL;
-- STEP
-- Failed and cancelled jobs that are there already enter that index, a thousand a transaction.
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
