-- Alerts: what people are told of, and what became of telling them.
--
-- The way of an alert: an event (something happened, or a check found a condition) is counted into the open alert of its key;
-- an alert that is new, that grew, or that ended makes a notice; a notice becomes a delivery for each channel.

-- The outbox. A row is written in the transaction that makes a job fail, and any worker counts it into its alert. Append-only:
-- ten thousand jobs that fail at once meet in no row. A worker takes rows out within seconds, whether alerts are sent or not, so
-- the table stays small.
CREATE TABLE sync_alert_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL,
    job_id      uuid NOT NULL,
    user_id     varchar(255) NOT NULL,
    error       text,
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- What failures of one cause have in common: the error without the name of the user, identifiers and numbers.
CREATE FUNCTION sync_alert_cause(error text, of_user text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(md5(regexp_replace(
        regexp_replace(
            coalesce(error, ''),
            '(^|\W)' || regexp_replace(of_user, '(\W)', '\\\1', 'g') || '(?=$|\W)', '\1?', 'g'),
        '[0-9a-fA-F-]{16,}|\d+', '#', 'g')), 12)
$$;

-- One row for each condition and each time it arose. While it is open, everything that has its key is counted into it.
CREATE TABLE sync_alerts (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key            text NOT NULL,
    kind           text NOT NULL,
    count          bigint NOT NULL,              -- of failures, or of what a check found
    job_id         uuid,                         -- of the latest
    user_id        varchar(255),                 -- of the latest
    users          text[] NOT NULL DEFAULT '{}', -- some of those concerned, ten at most
    error          text,                         -- of the latest
    first_at       timestamptz NOT NULL,
    last_at        timestamptz NOT NULL,         -- a check that still finds it moves this on
    notified_at    timestamptz,                  -- when people were last told
    notified_count bigint NOT NULL DEFAULT 0,    -- the count they were told
    resolved_at    timestamptz
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX sync_alerts_open ON sync_alerts (key) WHERE resolved_at IS NULL;
CREATE INDEX sync_alerts_key ON sync_alerts (key);
CREATE INDEX sync_alerts_resolved ON sync_alerts (resolved_at) WHERE resolved_at IS NOT NULL;

-- Keys nobody wants to hear of for a while. What happens meanwhile is counted.
CREATE TABLE sync_alert_silences (
    key        text PRIMARY KEY,
    until      timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What is to be told: that an alert arose, that it grew, that it is over, or how many messages a channel held back.
CREATE TABLE sync_alert_notices (
    -- Goes with every try on every channel. Not gen_random_uuid(), which PostgreSQL 12 does not have.
    id          uuid PRIMARY KEY DEFAULT md5(random()::text || clock_timestamp()::text || pg_backend_pid()::text)::uuid,
    event       text NOT NULL CHECK (event IN ('trigger', 'repeat', 'resolve', 'held_back')),
    alert_id    bigint REFERENCES sync_alerts ON DELETE CASCADE, -- NULL: held_back
    channel     text,                                            -- of held_back
    count       bigint NOT NULL,
    kinds       text[] NOT NULL DEFAULT '{}',                    -- of held_back: of what was held back
    created_at  timestamptz NOT NULL DEFAULT now(),
    run_at      timestamptz NOT NULL DEFAULT now(),
    expanded_at timestamptz,                                     -- since when it has deliveries
    CHECK ((event = 'held_back') = (alert_id IS NULL)),
    CHECK ((event = 'held_back') = (channel IS NOT NULL))
);

CREATE INDEX sync_alert_notices_created ON sync_alert_notices (created_at);
CREATE INDEX sync_alert_notices_of_alert ON sync_alert_notices (alert_id, created_at);
-- One message at a time that says how many a channel held back.
CREATE UNIQUE INDEX sync_alert_notices_held_back ON sync_alert_notices (channel)
    WHERE event = 'held_back' AND expanded_at IS NULL;

-- A notice on its way to a channel. Claimed, leased and tried again as jobs are.
CREATE TABLE sync_alert_deliveries (
    notice_id        uuid NOT NULL REFERENCES sync_alert_notices ON DELETE CASCADE,
    channel          text NOT NULL,
    state            text NOT NULL DEFAULT 'pending'
                     CHECK (state IN ('pending', 'delivered', 'failed', 'held_back', 'silenced')),
    attempt          int NOT NULL DEFAULT 0,
    run_at           timestamptz NOT NULL DEFAULT now(),
    lease            bigint,
    lease_expires_at timestamptz,
    worker           text,
    target           text,                              -- fingerprint of the address that it was last sent to
    last_error       text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz,
    PRIMARY KEY (notice_id, channel)
) WITH (fillfactor = 70);

CREATE INDEX sync_alert_deliveries_pending ON sync_alert_deliveries (channel, run_at) WHERE state = 'pending';
CREATE INDEX sync_alert_deliveries_failed ON sync_alert_deliveries (finished_at) WHERE state = 'failed';

-- A channel as the workers know it: how much went out in this minute, and whether it is off because its address is gone.
CREATE TABLE sync_alert_channels (
    channel           text PRIMARY KEY,
    target            text NOT NULL,                     -- fingerprint of the address; another one switches it on again
    known_since       timestamptz NOT NULL DEFAULT now(), -- with this address and without a gap; what was over by then is not told
    seen_at           timestamptz NOT NULL DEFAULT now(), -- when a worker last had it with this address, within a minute
    window_started_at timestamptz NOT NULL DEFAULT now(),
    sent              int NOT NULL DEFAULT 0,            -- messages begun since then, critical ones apart
    sent_critical     int NOT NULL DEFAULT 0,
    disabled_at       timestamptz,
    disabled_reason   text
) WITH (fillfactor = 50);

-- Work that one worker at a time does: whoever moves the time on has it.
CREATE TABLE sync_alert_rounds (
    name   text PRIMARY KEY,
    run_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO sync_alert_rounds (name) VALUES ('conditions'), ('prune');

-- What the workers found when they last asked the peers.
CREATE TABLE sync_peer_health (
    peer       text PRIMARY KEY,
    down_since timestamptz,                 -- NULL: it answers
    is_silent  boolean NOT NULL DEFAULT false, -- takes connections and does not answer; a busy extractor does that
    reason     text,
    checked_at timestamptz NOT NULL DEFAULT now()
);

-- As in 0002_job_queue.sql: functions find their owner's tables alone, and EXECUTE is not for everybody.
SELECT sync_seal_functions();
