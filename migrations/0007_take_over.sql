-- Taking over what the service that this one replaces left in the tables: here, and after a rollback to it by
-- `syncctl migrate --take-over`. The triggers carry the changes into the queue.

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
    queued            bigint NOT NULL, -- jobs that are queued now, these among them: a worker runs them
    oldest_failed_at  timestamp        -- when the oldest of the failed jobs was created
);

-- Ends what the other service left behind, and returns the number of the row that says what was done; NULL where there is
-- nothing to take over: the four tables are empty.
--
-- That service never ran a job from the table, so a row that is still `queued` waits for nobody: run now, a full sync of
-- months ago would surprise its user. What was created in the last day is run, as its user still waits for it.
--
-- Once this service has run jobs here, only what was inserted and never touched since counts as left behind. Its own jobs
-- are known by a lease, an attempt, a start, a due time other than that of their INSERT (retried or enqueued for later), or
-- by waiting behind a running job. A job of its own that no worker has claimed for more than a day looks like one of the
-- other service's, and ends as such.
CREATE FUNCTION sync_take_over(is_first boolean) RETURNS bigint LANGUAGE plpgsql AS $$
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

-- As in 0002_job_queue.sql: functions find their owner's tables alone, and EXECUTE is not for everybody.
SELECT sync_seal_functions();

-- locks: ROW EXCLUSIVE on sync_jobs, sync_state
SELECT sync_take_over(true);

-- What was queued before there was a queue.
INSERT INTO sync_queue (job_id, user_id, priority, run_at)
SELECT j.job_id, j.user_id, j.priority, j.run_at
FROM sync_jobs AS j
WHERE j.status = 'queued' AND NOT EXISTS (SELECT FROM sync_queue AS q WHERE q.job_id = j.job_id);
