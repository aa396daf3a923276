-- The queue. `sync_jobs` is the record that people, the gateway and the admin interface see; `sync_queue` is what is to be
-- done. A finished job is in the record alone, so that history costs the queue nothing, however long it is.

-- The record's columns for the queue. Each has a default: the gateway's plain INSERT is all that a job needs.
ALTER TABLE sync_jobs
    ADD COLUMN priority      smallint NOT NULL DEFAULT 0,         -- smaller runs first
    ADD COLUMN run_at        timestamptz NOT NULL DEFAULT now(),  -- due from then on
    ADD COLUMN attempt       int NOT NULL DEFAULT 0,
    ADD COLUMN max_attempts  int NOT NULL DEFAULT 5,
    ADD COLUMN crashes       int NOT NULL DEFAULT 0,              -- workers that died with this job
    ADD COLUMN snoozes       int NOT NULL DEFAULT 0,              -- times it was put off without spending an attempt
    ADD COLUMN max_crashes   int NOT NULL DEFAULT 3,              -- one more fails it
    ADD COLUMN lease         bigint,                              -- the holder's number; a new one at every claim
    ADD COLUMN last_write    bigint NOT NULL DEFAULT 0,           -- the holder's transactions are numbered in each lease
    ADD COLUMN rescued_lease bigint,                              -- the last that ran out: its worker hears no answer out
    ADD COLUMN worker        text,                                -- who runs it, or completed it
    ADD COLUMN started_at    timestamptz,                         -- first claim; a retry keeps it
    ADD COLUMN last_error    text,                                -- why the last attempt did not complete
    ADD COLUMN last_error_at timestamptz,                         -- when that was: what it says may have passed since
    ADD COLUMN traceparent   text,                                -- W3C trace context of whoever enqueued it
    ADD COLUMN is_forced     boolean NOT NULL DEFAULT false,      -- an operator's: runs in spite of a pause
    ADD COLUMN failed_at     timestamptz;                         -- set for failed and cancelled jobs alone

-- Only a running job has a lease, so that whoever matches job and lease need not match the status. A new column holds
-- nothing that could be invalid.
ALTER TABLE sync_jobs ADD CONSTRAINT sync_jobs_lease_is_of_running
    CHECK (lease IS NULL OR status = 'running') NOT VALID;

-- One row for each job that is queued, or running in a worker. It goes when the job ends.
CREATE TABLE sync_queue (
    job_id           uuid NOT NULL,
    run_at           timestamptz NOT NULL,
    lease            bigint,                           -- NULL: unclaimed
    lease_expires_at timestamptz,
    priority         smallint NOT NULL,
    is_parked        boolean NOT NULL DEFAULT false,   -- waits for another job of the user
    is_renewed       boolean NOT NULL DEFAULT false,   -- whether the lease was ever renewed: its worker has begun the job
    is_forced        boolean NOT NULL DEFAULT false,   -- as in the record
    user_id          varchar(255) NOT NULL,
    snoozed_since    timestamptz,                      -- the first time in a row that it was put off
    gate             text,                             -- the gate that it was snoozed for; cleared by the claim
    CHECK (lease IS NULL OR NOT is_parked)
);

-- What is not to be run for a while: all jobs, also where it is one peer that is not to be called, as each job calls both; or those
-- of a user. A claim takes none of them but forced ones; what runs goes on to its end. A row whose time is over says nothing.
CREATE TABLE sync_pauses (
    -- Nobody reads it. A role that may update this column and no other can lock a row, and change none.
    id           bigint GENERATED ALWAYS AS IDENTITY,
    scope        text NOT NULL CHECK (scope IN ('all', 'peer', 'user')),
    key          varchar(255) NOT NULL DEFAULT '',     -- the peer or the user
    reason       text NOT NULL,
    paused_by    text NOT NULL DEFAULT current_user,
    paused_at    timestamptz NOT NULL DEFAULT now(),
    paused_until timestamptz,                          -- NULL: until somebody resumes
    PRIMARY KEY (scope, key),
    CHECK (scope <> 'all' OR key = '')
);

-- Who pauses is the role whose statement it is, whatever the statement says; the owner of the table may restore it. Does not run as its
-- owner.
CREATE FUNCTION sync_pauses_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_has_role((SELECT c.relowner FROM pg_catalog.pg_class AS c WHERE c.oid = TG_RELID), 'USAGE') THEN
        NEW.paused_by := current_user;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER sync_pauses_named BEFORE INSERT OR UPDATE ON sync_pauses
    FOR EACH ROW EXECUTE FUNCTION sync_pauses_name();

-- Pauses that have ended by themselves within a day, the last of each: whoever resumes one is told so.
CREATE TABLE sync_ended_pauses (
    scope        text NOT NULL,
    key          varchar(255) NOT NULL,
    reason       text NOT NULL,
    paused_by    text NOT NULL,
    paused_at    timestamptz NOT NULL,
    paused_until timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);

-- Workers: who is there, with how many slots, and who is to be woken. A row is a process; its name is a label for people, and
-- two may have the same.
CREATE TABLE sync_workers (
    instance      uuid PRIMARY KEY,                    -- a new one at each start
    worker        text NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    slots         int NOT NULL,
    running       int NOT NULL DEFAULT 0,
    wakeable      boolean NOT NULL DEFAULT true,       -- false while it finds the queue full at every claim, or stops
    wakeable_seq  int NOT NULL DEFAULT 0,              -- counts its changes: one that comes late changes nothing
    version       text NOT NULL,
    listening     boolean,                             -- whether it hears notifications; NULL: it listens for none
    first_lease   bigint,                              -- the least number that a lease of this process can have
    present_until timestamptz,                         -- by then a process that lives has sent its next heartbeat
    claims_held_since timestamptz,                     -- since when it claims nothing, as it could only fail jobs; NULL: it claims
    claims_failing_since timestamptz                   -- since when the database refuses its claims or results; NULL: not
) WITH (fillfactor = 50);

-- Workers that were stopped and ended in order. Where one could not record how its jobs ended, as somebody had their rows locked, it
-- leaves their leases here: nobody runs those jobs, and none of them is to count as having killed its worker.
CREATE TABLE sync_stopped_workers (
    instance   uuid PRIMARY KEY,
    worker     text NOT NULL,
    stopped_at timestamptz NOT NULL DEFAULT now(),
    leases     bigint[] NOT NULL DEFAULT '{}'
);

CREATE INDEX sync_stopped_workers_with_leases ON sync_stopped_workers (stopped_at) WHERE leases <> '{}';

-- Jobs that ended, by the minute, as each worker counts them.
CREATE TABLE sync_throughput (
    minute    timestamptz NOT NULL,
    worker    text NOT NULL,
    completed bigint NOT NULL DEFAULT 0,
    failed    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (minute, worker)
) WITH (fillfactor = 50);

-- A lease is a number never given twice. Attempt numbers go back (snooze, release) and so fence nothing. A worker draws a
-- block of them before it claims, so that it can find a claim whose answer was lost; and it puts random digits between the number
-- of the block and those in it, as a sequence steps back when a server takes over that had not received all of it.
CREATE SEQUENCE sync_lease_seq AS bigint INCREMENT BY 1024;

-- Where the repair of the queue has come to in its walk through the records. One row: whoever has it repairs. The key keeps
-- a restore of the data alone from making a second one, as it does in the next table.
CREATE TABLE sync_queue_walk (
    created_at timestamp NOT NULL,
    job_id     uuid NOT NULL,
    is_only    boolean PRIMARY KEY DEFAULT true CHECK (is_only)
);

INSERT INTO sync_queue_walk VALUES ('-infinity', '00000000-0000-0000-0000-000000000000');

-- Who deletes old jobs, one worker at a time, and until when it has the turn. One row.
CREATE TABLE sync_pruning (
    instance   uuid,
    held_until timestamptz NOT NULL,
    is_only    boolean PRIMARY KEY DEFAULT true CHECK (is_only)
);

INSERT INTO sync_pruning VALUES (NULL, '-infinity');

-- INDEXES
--
-- Every update that a worker makes of `sync_jobs` is heap-only: no index there has a column, as key or in its predicate, that
-- a claim, progress or a completion changes. A queue row is found by what its record knows of it, without an index on the
-- job: unclaimed by (priority, run_at, job_id), parked by the user and these, running by the user.

-- Claim: what is due, in order.
CREATE INDEX sync_queue_claim ON sync_queue (priority, run_at, job_id) WHERE lease IS NULL AND NOT is_parked;
-- One running job per user, whatever the number of replicas. Serves heartbeat and finish, and rescue, which reads all of it.
CREATE UNIQUE INDEX sync_queue_running ON sync_queue (user_id) WHERE lease IS NOT NULL;
-- Unpark: the next of a user's parked jobs.
CREATE INDEX sync_queue_parked ON sync_queue (user_id, priority, run_at, job_id) WHERE is_parked;
-- Unpark of a user who is paused: forced jobs alone come back; few.
CREATE INDEX sync_queue_parked_forced ON sync_queue (user_id, priority, run_at, job_id) WHERE is_parked AND is_forced;
-- Jobs that are put off again and again; few.
CREATE INDEX sync_queue_snoozed ON sync_queue (snoozed_since) WHERE snoozed_since IS NOT NULL;
-- Those of a user who has other credentials, where all wait for a peer.
CREATE INDEX sync_queue_snoozed_user ON sync_queue (user_id) WHERE snoozed_since IS NOT NULL;
-- Claim while everything is paused; few.
CREATE INDEX sync_queue_forced ON sync_queue (priority, run_at, job_id) WHERE is_forced AND lease IS NULL AND NOT is_parked;
-- The pause that ends next.
CREATE INDEX sync_pauses_until ON sync_pauses (paused_until) WHERE paused_until IS NOT NULL;
-- Pauses that have ended and are to be forgotten.
CREATE INDEX sync_ended_pauses_until ON sync_ended_pauses (paused_until);
-- Those of sync_jobs are made by 0003_job_history_online.sql.

ALTER TABLE sync_jobs SET (
    fillfactor = 50, -- measured: below 60 nearly all updates find room on their page, also with two workers at once
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);
ALTER TABLE sync_queue SET (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);
DO $$
BEGIN
    -- Version 12 does not know it.
    IF current_setting('server_version_num')::int >= 130000 THEN
        ALTER TABLE sync_queue SET (autovacuum_vacuum_insert_scale_factor = 0.05);
    END IF;
END
$$;

-- TRIGGERS of sync_jobs: they carry plain SQL from outside into the queue.
--
--   event                       what it does                                            skipped
--   INSERT, of each row         admits it; keeps it within its BOUNDS; sets failed_at   -
--                                 of a failed or cancelled one
--   INSERT                      queued rows enter the queue, of many at once all but    -
--                                 the first of each user parked; wakes a worker
--   UPDATE                      keeps the row within its BOUNDS; where status, run_at,  a change of lease: claim, finish
--                                 priority, user_id, job_id or is_forced change, sets     and rescue, which do all of it
--                                 what follows from the status; moves the queue row;      themselves; a change of
--                                 tells a worker that lost its job; unparks the user's    last_write: progress
--                                 next job; wakes a worker; records a failure
--   DELETE                      removes the queue row, as above                         finished jobs: pruning
--   TRUNCATE                    empties the queue                                       -
--
-- Who is a worker is told by `lease`, which claim sets, finish and rescue clear, and by `last_write`, which its progress raises;
-- no other role may write them. A session setting could be set by any role, and leaks through a pooler.
--
-- Locks are taken in one order by everybody: the record, then its queue row. An UPDATE or DELETE has the record before its
-- trigger runs. A worker's statement over several jobs takes their records with SKIP LOCKED. A heartbeat takes queue rows
-- alone, with SKIP LOCKED. So a record that is locked from outside delays its own job alone, and an outside statement waits
-- for no worker that waits for it.
--
-- A job that is set to running from outside belongs to whoever did that: it leaves the queue and is neither claimed nor
-- rescued.
--
-- BOUNDS of what a role can write. What is beyond is brought back and not refused: a statement of the gateway or the admin
-- interface must not fail for it. An UPDATE brings back what it changes, and leaves the rest of a row that was there before.
--
--   run_at                                    from the year 1970; infinity is never due
--   created_at, completed_at, started_at,     from the year 1970 to 9999, which every driver can read
--     failed_at
--   priority                                  -100 to 100: a claim looks into each that is there
--   attempt, max_attempts, crashes,           0 to 1000000
--     max_crashes, snoozes
--   total_notes, processed_notes,             0 to 1000000000
--     failed_notes
--   error_message, last_error                 16384 characters
--   traceparent, worker                       255 characters
--   user_id                                   control characters become ?, unless there are credentials of that very user
--
-- The condition of a trigger is parsed anew for each statement: one that names all bounds costs half as much as the INSERT of a
-- row. So the conditions are short, and the function looks at the bounds.

-- Notifies, unless the server's queue of notifications is filling up: a full one refuses every transaction that notifies, and so
-- would refuse the job. Workers find by polling what they are not notified of. The queue is one for all databases, and is not
-- emptied while any session that listens has a transaction open.
CREATE FUNCTION sync_queue_notify(channel text, payload text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify(channel, payload);
    END IF;
END
$$;

-- Wakes the worker that has least to do, and among equals always the same: awake a moment ago, it is quicker than one that
-- sleeps. What a worker says of itself is as old as its heartbeat; jobs that come faster than that go to one worker until it
-- has no slot left, and the others find the rest in their delayed recheck. One that has not been seen for a while may be dead
-- and comes last. NOTIFY takes a database-wide lock at commit, so it is left out while no worker is to be woken. Never the one that
-- asks for another (`other_than`). Returns whether there was one to be woken.
CREATE FUNCTION sync_queue_wake(other_than uuid DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    chosen uuid;
BEGIN
    SELECT instance INTO chosen FROM sync_workers
    WHERE wakeable AND last_seen_at > now() - interval '5 minutes' AND instance IS DISTINCT FROM other_than
    ORDER BY running >= slots, last_seen_at < now() - interval '45 seconds', running::float8 / greatest(slots, 1), instance
    LIMIT 1;
    IF FOUND THEN
        PERFORM sync_queue_notify('sync_jobs', chosen::text);
    END IF;
    RETURN chosen IS NOT NULL;
END
$$;

-- Brings back the next parked job of a user, and wakes a worker if that is due, unless the caller claims it itself. One whose
-- record or queue row is locked is passed over; of a user who is paused only forced jobs come back, and only they are read. Returns
-- whether there was one that is due; NULL if all that could come back are locked.
CREATE FUNCTION sync_queue_unpark(of_user varchar, wakes boolean) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
    SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    due_at timestamptz;
BEGIN
    IF EXISTS (SELECT FROM sync_pauses AS p
               WHERE p.scope = 'user' AND p.key = of_user AND (p.paused_until IS NULL OR p.paused_until > clock_timestamp()))
    THEN
        UPDATE sync_queue SET is_parked = false
        WHERE ctid = (
            SELECT q.ctid
            FROM sync_queue AS q
            CROSS JOIN LATERAL (
                SELECT FROM sync_jobs AS j WHERE j.job_id = q.job_id AND j.status = 'queued' FOR NO KEY UPDATE SKIP LOCKED
            ) AS record
            CROSS JOIN LATERAL (
                SELECT FROM sync_queue AS e WHERE e.ctid = q.ctid AND e.is_parked FOR NO KEY UPDATE SKIP LOCKED
            ) AS entry
            WHERE q.user_id = of_user AND q.is_parked AND q.is_forced
            ORDER BY q.priority, q.run_at, q.job_id
            LIMIT 1)
        RETURNING run_at INTO due_at;
        IF NOT FOUND AND EXISTS (SELECT FROM sync_queue AS q WHERE q.user_id = of_user AND q.is_parked AND q.is_forced) THEN
            RETURN NULL;
        END IF;
    ELSE
        UPDATE sync_queue SET is_parked = false
        WHERE ctid = (
            SELECT q.ctid
            FROM sync_queue AS q
            CROSS JOIN LATERAL (
                SELECT FROM sync_jobs AS j WHERE j.job_id = q.job_id AND j.status = 'queued' FOR NO KEY UPDATE SKIP LOCKED
            ) AS record
            CROSS JOIN LATERAL (
                SELECT FROM sync_queue AS e WHERE e.ctid = q.ctid AND e.is_parked FOR NO KEY UPDATE SKIP LOCKED
            ) AS entry
            WHERE q.user_id = of_user AND q.is_parked
            ORDER BY q.priority, q.run_at, q.job_id
            LIMIT 1)
        RETURNING run_at INTO due_at;
        IF NOT FOUND AND EXISTS (SELECT FROM sync_queue AS q WHERE q.user_id = of_user AND q.is_parked) THEN
            RETURN NULL;
        END IF;
    END IF;
    IF due_at IS NULL OR due_at > clock_timestamp() THEN
        RETURN false;
    END IF;
    IF wakes THEN
        PERFORM sync_queue_wake();
    END IF;
    RETURN true;
END
$$;

-- A pause has ended: its user's next job comes back, and a worker looks at what has waited. A claim that parks jobs of a paused user
-- holds a share lock on the pause, so what it has parked is seen here.
CREATE FUNCTION sync_pauses_deleted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF OLD.scope = 'user' THEN
        PERFORM sync_queue_unpark(OLD.key, false);
    END IF;
    PERFORM sync_queue_wake();
    RETURN NULL;
END
$$;

CREATE TRIGGER sync_pauses_deleted AFTER DELETE ON sync_pauses
    FOR EACH ROW EXECUTE FUNCTION sync_pauses_deleted();

-- Remembers the pauses that have ended by themselves, and forgets those of more than a day ago.
CREATE FUNCTION sync_pauses_over() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    DELETE FROM sync_ended_pauses WHERE ctid = ANY (ARRAY(
        SELECT e.ctid FROM sync_ended_pauses AS e WHERE e.paused_until < now() - interval '1 day'
        FOR UPDATE SKIP LOCKED));
    INSERT INTO sync_ended_pauses (scope, key, reason, paused_by, paused_at, paused_until)
    SELECT scope, key, reason, paused_by, paused_at, paused_until FROM gone WHERE paused_until <= clock_timestamp()
    ORDER BY scope, key
    ON CONFLICT (scope, key) DO UPDATE
    SET reason = excluded.reason, paused_by = excluded.paused_by, paused_at = excluded.paused_at,
        paused_until = excluded.paused_until;
    RETURN NULL;
END
$$;

CREATE TRIGGER sync_pauses_over AFTER DELETE ON sync_pauses
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION sync_pauses_over();

-- A worker reads with each claim when the next pause ends, so one is woken for a pause that may end before it would claim again. A
-- pause that is given a time in the past ends at once.
CREATE FUNCTION sync_pauses_timed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NEW.scope = 'user' AND NEW.paused_until <= clock_timestamp() THEN
        PERFORM sync_queue_unpark(NEW.key, false);
    END IF;
    PERFORM sync_queue_wake();
    RETURN NULL;
END
$$;

CREATE TRIGGER sync_pauses_timed AFTER INSERT OR UPDATE OF paused_until ON sync_pauses
    FOR EACH ROW WHEN (NEW.paused_until IS NOT NULL) EXECUTE FUNCTION sync_pauses_timed();

-- Removes the queue row of a record that is about to change. Returns whether jobs of the user may be parked behind it, and what the
-- row of a job that is not claimed said of its waiting.
CREATE FUNCTION sync_queue_remove(record sync_jobs, OUT is_ahead boolean, OUT gate text, OUT snoozed_since timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF record.lease IS NOT NULL THEN
        DELETE FROM sync_queue AS q WHERE q.user_id = record.user_id AND q.lease = record.lease;
        is_ahead := true;
        RETURN;
    END IF;
    -- After a restore there may be two.
    WITH removed AS (
        DELETE FROM sync_queue AS q
        WHERE q.priority = record.priority AND q.run_at = record.run_at AND q.job_id = record.job_id
            AND q.lease IS NULL AND NOT q.is_parked
        RETURNING q.gate, q.snoozed_since)
    SELECT count(*) > 0, min(r.gate), min(r.snoozed_since) INTO is_ahead, gate, snoozed_since FROM removed AS r;
    IF is_ahead THEN
        RETURN;
    END IF;
    WITH removed AS (
        DELETE FROM sync_queue AS q
        WHERE q.user_id = record.user_id AND q.priority = record.priority AND q.run_at = record.run_at
            AND q.job_id = record.job_id AND q.is_parked
        RETURNING q.gate, q.snoozed_since)
    SELECT min(r.gate), min(r.snoozed_since) INTO gate, snoozed_since FROM removed AS r;
END
$$;

-- A value that is changed, between its bounds.
CREATE FUNCTION sync_bound(given anyelement, kept anyelement, least_value anyelement, greatest_value anyelement)
    RETURNS anyelement LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN given IS NULL OR given IS NOT DISTINCT FROM kept THEN given
                ELSE least(greatest(given, least_value), greatest_value) END
$$;

-- A record within its bounds. What is as in `kept` stays.
CREATE FUNCTION sync_jobs_bound(record sync_jobs, kept sync_jobs) RETURNS sync_jobs LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    first  CONSTANT timestamp := '1970-01-01';
    latest CONSTANT timestamp := '9999-12-31 23:59:59';
BEGIN
    record.run_at := sync_bound(record.run_at, kept.run_at, timezone('UTC', first), 'infinity');
    record.created_at := sync_bound(record.created_at, kept.created_at, first, latest);
    record.completed_at := sync_bound(record.completed_at, kept.completed_at, first, latest);
    record.started_at := sync_bound(record.started_at, kept.started_at, timezone('UTC', first), timezone('UTC', latest));
    record.failed_at := sync_bound(record.failed_at, kept.failed_at, timezone('UTC', first), timezone('UTC', latest));
    record.priority := sync_bound(record.priority, kept.priority, (-100)::smallint, 100::smallint);
    record.attempt := sync_bound(record.attempt, kept.attempt, 0, 1000000);
    record.max_attempts := sync_bound(record.max_attempts, kept.max_attempts, 0, 1000000);
    record.crashes := sync_bound(record.crashes, kept.crashes, 0, 1000000);
    record.max_crashes := sync_bound(record.max_crashes, kept.max_crashes, 0, 1000000);
    record.snoozes := sync_bound(record.snoozes, kept.snoozes, 0, 1000000);
    record.total_notes := sync_bound(record.total_notes, kept.total_notes, 0, 1000000000);
    record.processed_notes := sync_bound(record.processed_notes, kept.processed_notes, 0, 1000000000);
    record.failed_notes := sync_bound(record.failed_notes, kept.failed_notes, 0, 1000000000);
    record.error_message := left(record.error_message, 16384);
    record.last_error := left(record.last_error, 16384);
    record.traceparent := left(record.traceparent, 255);
    record.worker := left(record.worker, 255);
    IF record.user_id IS DISTINCT FROM kept.user_id AND record.user_id ~ '[\x01-\x1f\x7f]'
        AND NOT EXISTS (SELECT FROM credentials AS c WHERE c.user_id = record.user_id)
    THEN
        record.user_id := regexp_replace(record.user_id, '[\x01-\x1f\x7f]', '?', 'g');
    END IF;
    RETURN record;
END
$$;

-- A job begins as queued. Who may not delete records may not insert any that look as if somebody had run them: the gateway and
-- the intake have no need to, and a restore is made by the owner. What counts is a right of the role whose INSERT it is, which no
-- setting of a session changes: this function does not run as its owner.
CREATE FUNCTION sync_jobs_admit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT has_table_privilege(TG_RELID, 'DELETE') THEN
        RAISE EXCEPTION 'a job is inserted with the status queued, not %', quote_literal(NEW.status)
            USING ERRCODE = 'insufficient_privilege',
                HINT = 'Roles that may delete from sync_jobs may insert jobs of any status.';
    END IF;
    RETURN NEW;
END
$$;

-- Records are deleted by their age. Who may not delete them may not make them older either: the admin interface saves the whole row,
-- times included, and has no need to change when a job was created, or to say that it ended long ago. Does not run as its owner, as
-- above.
CREATE FUNCTION sync_jobs_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT has_table_privilege(TG_RELID, 'DELETE') THEN
        NEW.created_at := OLD.created_at;
        NEW.completed_at := CASE WHEN NEW.completed_at IS NOT NULL
            THEN greatest(NEW.completed_at, coalesce(OLD.completed_at, timezone('utc', now()) - interval '1 day')) END;
    END IF;
    RETURN NEW;
END
$$;

-- Of many jobs that come at once, those of a user that are due behind another of theirs are parked from the start: else every
-- claim would have to pass them over before it comes to other users.
CREATE FUNCTION sync_jobs_inserted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF (SELECT count(*) FROM (SELECT FROM inserted LIMIT 101) AS counted) <= 100 THEN
        INSERT INTO sync_queue (job_id, user_id, priority, run_at, is_forced)
        SELECT job_id, user_id, priority, run_at, is_forced FROM inserted WHERE status = 'queued';
    ELSE
        INSERT INTO sync_queue (job_id, user_id, priority, run_at, is_forced, is_parked)
        SELECT job_id, user_id, priority, run_at, is_forced, run_at <= now()
            AND row_number() OVER (PARTITION BY user_id, run_at <= now() ORDER BY priority, run_at, job_id) > 1
        FROM inserted WHERE status = 'queued';
    END IF;
    IF FOUND AND EXISTS (SELECT FROM sync_workers WHERE wakeable AND last_seen_at > now() - interval '5 minutes')
        AND EXISTS (SELECT FROM inserted WHERE status = 'queued' AND run_at <= clock_timestamp())
    THEN
        PERFORM sync_queue_wake();
    END IF;
    RETURN NULL;
END
$$;

-- What is told of a job that a statement from outside has set to failed: its own words, or who it was. A role that was taken by
-- SET ROLE is known as well as one that has logged in.
CREATE FUNCTION sync_jobs_failure(record sync_jobs) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        nullif(btrim(record.error_message), ''),
        format('The job was set to failed by SQL, without an error_message, by the role %s.',
            coalesce(nullif(current_setting('role', true), 'none'), session_user))
            || coalesce(' Its last error: ' || nullif(btrim(record.last_error), ''), ''))
$$;

-- What is inserted, or changed from outside; OLD is NULL for what is inserted.
CREATE FUNCTION sync_jobs_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    held bigint := OLD.lease;
    removed record;
    is_ahead boolean := false;
    is_waiting boolean;
BEGIN
    IF least(NEW.attempt, NEW.max_attempts, NEW.crashes, NEW.max_crashes, NEW.snoozes,
             NEW.total_notes, NEW.processed_notes, NEW.failed_notes) < 0
        OR greatest(NEW.attempt, NEW.max_attempts, NEW.crashes, NEW.max_crashes, NEW.snoozes) > 1000000
        OR greatest(NEW.total_notes, NEW.processed_notes, NEW.failed_notes) > 1000000000
        OR NEW.priority NOT BETWEEN -100 AND 100
        OR greatest(octet_length(NEW.error_message), octet_length(NEW.last_error)) > 16384
        OR greatest(octet_length(NEW.traceparent), octet_length(NEW.worker)) > 255
        OR least(NEW.run_at, NEW.started_at, NEW.failed_at) < to_timestamp(0)
        OR greatest(NEW.started_at, NEW.failed_at) > to_timestamp(253402300799)
        OR least(NEW.created_at, NEW.completed_at) < timestamp '1970-01-01'
        OR greatest(NEW.created_at, NEW.completed_at) > timestamp '9999-12-31 23:59:59'
        OR NEW.user_id ~ '[\x01-\x1f\x7f]'
    THEN
        NEW := sync_jobs_bound(NEW, OLD);
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.status IN ('failed', 'cancelled') THEN
            NEW.failed_at := coalesce(NEW.failed_at, timezone('utc', NEW.completed_at), now());
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.status IS NOT DISTINCT FROM OLD.status AND NEW.run_at = OLD.run_at AND NEW.priority = OLD.priority
        AND NEW.user_id = OLD.user_id AND NEW.job_id = OLD.job_id AND NEW.is_forced = OLD.is_forced
    THEN
        RETURN NEW;
    END IF;
    IF held IS NOT NULL AND NEW.status = 'running' THEN
        IF NEW.user_id = OLD.user_id THEN
            UPDATE sync_queue SET job_id = NEW.job_id, priority = NEW.priority, run_at = NEW.run_at, is_forced = NEW.is_forced
            WHERE user_id = OLD.user_id AND lease = held;
            RETURN NEW;
        END IF;
        -- It runs with the notes of another user, and begins anew for this one. As a running job of this user it would hold up every
        -- claim that comes to the user until this transaction ends.
        NEW.status := 'queued';
    END IF;
    -- Of the rest a job goes on waiting for what it was put off for; who sets its due time, or gives it to another user, ends that.
    is_waiting := held IS NULL AND OLD.status = 'queued' AND NEW.run_at = OLD.run_at AND NEW.user_id = OLD.user_id;
    SELECT NULL AS gate, NULL::timestamptz AS snoozed_since INTO removed;
    IF EXISTS (SELECT FROM sync_queue AS q
               WHERE q.user_id = OLD.user_id AND q.lease = held AND q.lease_expires_at <= clock_timestamp()) THEN
        -- As by a rescue. What it sent is unknown since its lease was over.
        NEW.rescued_lease := held;
    END IF;
    IF held IS NOT NULL OR OLD.status = 'queued' THEN
        SELECT * INTO removed FROM sync_queue_remove(OLD);
        is_ahead := removed.is_ahead;
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
            -- Who enqueued it in spite of a pause did so for one time.
            NEW.is_forced := NEW.is_forced AND NOT OLD.is_forced;
        ELSIF NEW.status = 'queued' AND held IS NOT NULL AND NEW.attempt = OLD.attempt THEN
            -- What was taken away has not failed: as after any other run that did not end, the attempt does not count.
            NEW.attempt := greatest(OLD.attempt, 1) - 1;
        ELSIF NEW.status = 'failed' THEN
            INSERT INTO sync_alert_events (kind, job_id, user_id, error)
            VALUES ('job_failed', NEW.job_id, NEW.user_id, left(sync_jobs_failure(NEW), 2000));
        END IF;
    END IF;
    IF NEW.status = 'queued' THEN
        INSERT INTO sync_queue (job_id, user_id, priority, run_at, is_forced, gate, snoozed_since)
        VALUES (NEW.job_id, NEW.user_id, NEW.priority, NEW.run_at, NEW.is_forced,
            CASE WHEN is_waiting THEN removed.gate END, CASE WHEN is_waiting THEN removed.snoozed_since END);
        IF NEW.run_at <= clock_timestamp() THEN
            PERFORM sync_queue_wake();
        END IF;
    END IF;
    IF held IS NOT NULL THEN
        PERFORM sync_queue_notify('sync_jobs_revoked', '');
    END IF;
    IF is_ahead THEN
        -- The worker that had it may be dead: another is woken.
        PERFORM sync_queue_unpark(OLD.user_id, true);
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION sync_jobs_deleted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    is_ahead boolean;
BEGIN
    SELECT r.is_ahead INTO is_ahead FROM sync_queue_remove(OLD) AS r;
    IF OLD.lease IS NOT NULL THEN
        PERFORM sync_queue_notify('sync_jobs_revoked', '');
    END IF;
    IF is_ahead THEN
        PERFORM sync_queue_unpark(OLD.user_id, true);
    END IF;
    RETURN NULL;
END
$$;

-- DELETE, not TRUNCATE: a worker takes the lock of one table while it has that of the other.
CREATE FUNCTION sync_jobs_truncated() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    DELETE FROM sync_queue;
    PERFORM sync_queue_notify('sync_jobs_revoked', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER sync_jobs_inserted AFTER INSERT ON sync_jobs
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION sync_jobs_inserted();

-- By name: first it is admitted, as PostgreSQL fires them in that order.
CREATE TRIGGER sync_jobs_admit BEFORE INSERT ON sync_jobs
    FOR EACH ROW WHEN (NEW.status <> 'queued' OR NEW.lease IS NOT NULL)
    EXECUTE FUNCTION sync_jobs_admit();

CREATE TRIGGER sync_jobs_inserting BEFORE INSERT ON sync_jobs
    FOR EACH ROW EXECUTE FUNCTION sync_jobs_changed();

CREATE TRIGGER sync_jobs_changed BEFORE UPDATE ON sync_jobs
    FOR EACH ROW WHEN (NEW.lease IS NOT DISTINCT FROM OLD.lease AND NEW.last_write = OLD.last_write)
    EXECUTE FUNCTION sync_jobs_changed();

-- By name: after what the change makes of it. Progress, which is written with every note, sets neither column and pays nothing.
CREATE TRIGGER sync_jobs_kept BEFORE UPDATE OF created_at, completed_at ON sync_jobs
    FOR EACH ROW WHEN (NEW.created_at IS DISTINCT FROM OLD.created_at OR NEW.completed_at IS DISTINCT FROM OLD.completed_at
        AND NEW.completed_at < coalesce(OLD.completed_at, timezone('utc', now()) - interval '1 day'))
    EXECUTE FUNCTION sync_jobs_kept();

CREATE TRIGGER sync_jobs_deleted AFTER DELETE ON sync_jobs
    FOR EACH ROW WHEN (OLD.status = 'queued' OR OLD.lease IS NOT NULL)
    EXECUTE FUNCTION sync_jobs_deleted();

CREATE TRIGGER sync_jobs_truncated AFTER TRUNCATE ON sync_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION sync_jobs_truncated();

-- Fails: a worker that writes a job's progress no longer holds its lease.
CREATE FUNCTION sync_lease_is_lost(job uuid) RETURNS boolean
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the lease of job % is no longer held', job USING ERRCODE = 'SY001';
END
$$;

-- Which of these queued jobs the database does not let begin, or begin and complete: each is tried and taken back. It runs as its
-- caller, whose rights are part of the question.
CREATE FUNCTION sync_jobs_refused(jobs uuid[], completes boolean) RETURNS TABLE (refused uuid, state text, message text)
    LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
    job uuid;
BEGIN
    FOREACH job IN ARRAY jobs LOOP
        BEGIN
            PERFORM FROM sync_jobs AS j WHERE j.job_id = job AND j.status = 'queued' FOR NO KEY UPDATE SKIP LOCKED;
            IF FOUND THEN
                UPDATE sync_jobs AS j
                SET status = 'running', lease = 0, last_write = 0, worker = '', attempt = least(j.attempt, 2147483646) + 1,
                    started_at = coalesce(j.started_at, clock_timestamp())
                WHERE j.job_id = job;
                IF NOT FOUND THEN
                    RAISE EXCEPTION USING ERRCODE = 'SY003',
                        MESSAGE = 'a BEFORE UPDATE trigger on sync_jobs returns NULL, so the job does not begin';
                END IF;
                IF completes THEN
                    UPDATE sync_jobs AS j
                    SET status = 'completed', lease = NULL, completed_at = timezone('utc', clock_timestamp())
                    WHERE j.job_id = job;
                END IF;
                -- What is checked at a commit too.
                SET CONSTRAINTS ALL IMMEDIATE;
            END IF;
            RAISE EXCEPTION USING ERRCODE = 'SY002', MESSAGE = 'taken back';
        EXCEPTION
            WHEN SQLSTATE 'SY002' THEN
                NULL;
            WHEN OTHERS THEN
                refused := job;
                state := SQLSTATE;
                message := SQLERRM;
                RETURN NEXT;
        END;
    END LOOP;
END
$$;

-- CONSISTENCY: record and queue can disagree where no trigger fired, as after a restore of some tables with triggers disabled; or
-- where one fired beside a copy of the queue, as in a restore of the data alone with triggers enabled: a queued job then has two
-- queue rows. No key forbids that: an index on the job would cost every enqueue, claim and completion.

-- How many queue rows of the kind that a record asks for the queue has: one, where they agree.
CREATE FUNCTION sync_queue_rows(record sync_jobs) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
    SELECT CASE WHEN record.lease IS NOT NULL THEN (
        SELECT count(*) FROM sync_queue
        WHERE user_id = record.user_id AND lease = record.lease AND job_id = record.job_id)
    ELSE (
        SELECT count(*) FROM sync_queue
        WHERE priority = record.priority AND run_at = record.run_at AND job_id = record.job_id
            AND lease IS NULL AND NOT is_parked AND is_forced = record.is_forced)
    + (
        SELECT count(*) FROM sync_queue
        WHERE user_id = record.user_id AND priority = record.priority AND run_at = record.run_at
            AND job_id = record.job_id AND is_parked AND is_forced = record.is_forced)
    END
$$;

-- Makes the queue rows of an unclaimed record that the caller has locked say what it does of `is_forced`. Returns whether one did not.
CREATE FUNCTION sync_queue_mark(record sync_jobs) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
BEGIN
    UPDATE sync_queue SET is_forced = record.is_forced
    WHERE priority = record.priority AND run_at = record.run_at AND job_id = record.job_id
        AND lease IS NULL AND NOT is_parked AND is_forced <> record.is_forced;
    IF FOUND THEN
        RETURN true;
    END IF;
    UPDATE sync_queue SET is_forced = record.is_forced
    WHERE user_id = record.user_id AND priority = record.priority AND run_at = record.run_at AND job_id = record.job_id
        AND is_parked AND is_forced <> record.is_forced;
    RETURN FOUND;
END
$$;

-- Deletes all but one of the queue rows of an unclaimed record that the caller has locked; keeps one that is not parked, if there
-- is one.
CREATE FUNCTION sync_queue_keep_one(record sync_jobs) RETURNS void LANGUAGE sql SECURITY DEFINER
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
    DELETE FROM sync_queue WHERE ctid = ANY (ARRAY(
        SELECT place FROM (
            SELECT ctid AS place, is_parked, snoozed_since FROM sync_queue
            WHERE priority = record.priority AND run_at = record.run_at AND job_id = record.job_id
                AND lease IS NULL AND NOT is_parked
            UNION ALL
            SELECT ctid, is_parked, snoozed_since FROM sync_queue
            WHERE user_id = record.user_id AND priority = record.priority AND run_at = record.run_at
                AND job_id = record.job_id AND is_parked
        ) AS own
        ORDER BY is_parked, snoozed_since, place
        OFFSET 1))
$$;

-- What disagrees: `missing` for a queued or claimed record without its queue row, `surplus` for a queue row without such a
-- record, `double` for a job with several queue rows, `stale` for one that says otherwise of `is_forced`. Reads both tables.
CREATE FUNCTION sync_queue_disagreements() RETURNS TABLE (job_id uuid, user_id varchar, problem text)
    LANGUAGE sql STABLE AS $$
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
    SELECT q.job_id, q.user_id, 'stale'
    FROM sync_queue AS q
    JOIN sync_jobs AS j ON j.job_id = q.job_id
    WHERE j.lease IS NULL AND q.lease IS NULL AND j.is_forced <> q.is_forced
    UNION ALL
    SELECT q.job_id, min(q.user_id), 'double' FROM sync_queue AS q GROUP BY q.job_id HAVING count(*) > 1
$$;

-- Repairs what disagrees, a part of the records at each call, round and round; what is surplus at the head of the queue, every
-- time: such a row stays there while all others are claimed. The second row of a job that has begun is one. Each record is read again once it is locked. One call at a
-- time does anything. Returns what it repaired. Walks `sync_jobs_recent` from its old end.
CREATE FUNCTION sync_queue_repair(step int) RETURNS TABLE (repaired uuid, problem text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
DECLARE
    place sync_queue_walk;
    walked record;
    held sync_jobs;
    entries bigint;
    steps int := 0;
    is_due boolean := false;
BEGIN
    SELECT * INTO place FROM sync_queue_walk FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    FOR walked IN
        SELECT j.created_at, j.job_id,
            CASE WHEN j.status = 'queued' OR j.lease IS NOT NULL THEN sync_queue_rows(j) ELSE 1 END AS found
        FROM sync_jobs AS j
        WHERE (j.created_at, j.job_id) > (place.created_at, place.job_id)
        ORDER BY j.created_at, j.job_id
        LIMIT step
    LOOP
        steps := steps + 1;
        place.created_at := walked.created_at;
        place.job_id := walked.job_id;
        CONTINUE WHEN walked.found = 1;
        SELECT * INTO held FROM sync_jobs AS j WHERE j.job_id = walked.job_id FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND OR NOT (held.status = 'queued' OR held.lease IS NOT NULL);
        entries := sync_queue_rows(held);
        CONTINUE WHEN entries = 1;
        repaired := held.job_id;
        IF entries > 1 THEN
            PERFORM sync_queue_keep_one(held);
            problem := 'double';
            RETURN NEXT;
            CONTINUE;
        END IF;
        IF held.lease IS NULL AND sync_queue_mark(held) THEN
            problem := 'stale';
            RETURN NEXT;
            CONTINUE;
        END IF;
        UPDATE sync_jobs AS j SET status = 'queued', lease = NULL, worker = NULL
        WHERE j.job_id = held.job_id AND j.lease IS NOT NULL;
        INSERT INTO sync_queue (job_id, user_id, priority, run_at, is_forced)
        VALUES (held.job_id, held.user_id, held.priority, held.run_at, held.is_forced);
        is_due := is_due OR held.run_at <= clock_timestamp();
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
                   AND (j.lease IS NOT NULL OR j.status = 'queued' AND j.priority = q.priority AND j.run_at = q.run_at
                        AND j.is_forced = q.is_forced)
               FROM sync_jobs AS j WHERE j.job_id = q.job_id) IS NOT TRUE
    LOOP
        -- Its record is gone, or is locked here, and then the row is read once more.
        SELECT * INTO held FROM sync_jobs AS j WHERE j.job_id = walked.job_id FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND AND EXISTS (SELECT FROM sync_jobs AS j WHERE j.job_id = walked.job_id);
        repaired := walked.job_id;
        IF held.status = 'queued' AND sync_queue_mark(held) THEN
            problem := 'stale';
            RETURN NEXT;
            CONTINUE;
        END IF;
        DELETE FROM sync_queue AS q
        WHERE q.ctid = walked.place AND q.job_id = walked.job_id
            AND (held.job_id IS NULL OR held.user_id <> q.user_id OR held.lease IS DISTINCT FROM q.lease
                 OR held.lease IS NULL
                    AND (held.status <> 'queued' OR held.priority <> q.priority OR held.run_at <> q.run_at));
        CONTINUE WHEN NOT FOUND;
        problem := 'surplus';
        RETURN NEXT;
    END LOOP;
END
$$;

-- A function that runs as its owner must find the owner's tables and nothing of the caller's: pg_temp comes last, where it
-- would otherwise come first. Nobody calls these functions but the roles that are given the right to. Each migration that
-- makes functions ends with this, for those that are not sealed yet.
CREATE FUNCTION sync_seal_functions() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc
             WHERE pronamespace = quote_ident(current_schema())::regnamespace AND proowner = current_user::regrole
                 AND proname LIKE 'sync\_%'
                 AND NOT EXISTS (SELECT FROM unnest(proconfig) AS c (setting) WHERE setting LIKE 'search\_path=%') LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', f, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
SELECT sync_seal_functions();
