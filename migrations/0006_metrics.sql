-- What the workers count, kept where several of them and every reader meet: a worker opens no port, and a restart of either
-- side loses nothing. Each worker adds what it has counted since the last time, every few seconds, in one statement.

CREATE TABLE sync_metrics (
    name       text NOT NULL,             -- as Prometheus shows it, without the suffixes of a histogram
    labels     text NOT NULL DEFAULT '',  -- as Prometheus writes them between the braces, sorted by name
    part       text NOT NULL,             -- 'counter', 'gauge', 'latest', 'sum', or the upper bound of a histogram's bucket
    worker     text NOT NULL DEFAULT '',  -- of a gauge, which is each worker's own; else empty
    value      double precision NOT NULL, -- a bucket holds what fell into it alone
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, labels, part, worker)
) WITH (
    -- A few hundred rows, updated all the time: heap-only updates, and vacuum often.
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0
);

-- Writes whose outcome has become unknown and that no worker has added to sync_metrics yet. Append-only: whoever finds one waits for
-- nobody that counts. A worker takes the rows out with what it has counted itself, so the table stays small.
CREATE TABLE sync_unknown_outcomes (
    operation text NOT NULL CHECK (operation IN ('create', 'update'))
);

-- Requests of which nothing is on record though their lease is over, or their time, and that nobody has found yet. One that was sent
-- within the last second is none: so a note that is settled at once is not looked at for this.
CREATE VIEW sync_abandoned_writes AS
SELECT i.user_id, i.keep_note_id, i.operation FROM sync_intents AS i
WHERE i.unknown_at IS NULL AND i.created_at < clock_timestamp() - interval '1 second'
    AND (coalesce(i.open_until <= clock_timestamp(), true)
            AND NOT EXISTS (SELECT FROM sync_queue AS q
                            WHERE q.user_id = i.user_id AND q.lease = i.lease AND q.lease_expires_at > clock_timestamp())
        OR EXISTS (SELECT FROM sync_queue AS q
                   WHERE q.user_id = i.user_id AND q.lease = i.lease AND q.lease_expires_at <= clock_timestamp())
        OR EXISTS (SELECT FROM sync_jobs AS j WHERE j.job_id = i.job_id AND j.rescued_lease = i.lease));

-- What a reader adds to the counts of sync_metrics: no worker need run for it.
CREATE VIEW sync_uncounted_outcomes AS
SELECT operation FROM sync_unknown_outcomes UNION ALL SELECT operation FROM sync_abandoned_writes;

-- Each request whose outcome becomes unknown is counted once, whoever finds it: when that is recorded, when another request takes its
-- row, or, where readers have counted it already, when its answer comes after all or a person settles it. What was counted stays so.
CREATE FUNCTION sync_intent_unknown() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.request = OLD.request OR NEW.unknown_at IS NULL)
        OR EXISTS (SELECT FROM sync_abandoned_writes AS w
                   WHERE w.user_id = OLD.user_id AND w.keep_note_id = OLD.keep_note_id)
    THEN
        INSERT INTO sync_unknown_outcomes (operation) VALUES (OLD.operation);
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;

CREATE TRIGGER sync_intent_unknown BEFORE UPDATE OF unknown_at, request ON sync_intents
    FOR EACH ROW WHEN (OLD.unknown_at IS NULL AND (NEW.unknown_at IS NOT NULL OR NEW.request <> OLD.request))
    EXECUTE FUNCTION sync_intent_unknown();
CREATE TRIGGER sync_intent_ended BEFORE DELETE ON sync_intents
    FOR EACH ROW WHEN (OLD.unknown_at IS NULL AND OLD.created_at < clock_timestamp() - interval '1 second')
    EXECUTE FUNCTION sync_intent_unknown();

-- As in 0002_job_queue.sql: functions find their owner's tables alone, and EXECUTE is not for everybody.
SELECT sync_seal_functions();
