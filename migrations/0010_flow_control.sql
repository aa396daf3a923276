-- Flow control: what one worker learns of a peer holds for all of them.
-- compatible from: 9

-- A gate is what calls of a peer pass: that of the peer itself, and of each token, account or workspace at it. A row is made when
-- there is something to say of a gate; no row: open. All times are the database's, and workers are told durations alone.
CREATE TABLE sync_gates (
    -- PEER, or PEER/SCOPE/KEY. The key is a keyed hash: whoever reads the table learns no token and cannot try one out.
    gate           text PRIMARY KEY,
    peer           text NOT NULL GENERATED ALWAYS AS (split_part(gate, '/', 1)) STORED,
    scope          text NOT NULL GENERATED ALWAYS AS (coalesce(nullif(split_part(gate, '/', 2), ''), 'peer')) STORED
                   CHECK (scope IN ('peer', 'token', 'account', 'workspace')),
    closed_at      timestamptz,                -- when it was last closed
    closed_until   timestamptz,                -- open from then on
    reason         text,                       -- why it was last closed
    closed_by      text,                       -- by whom: a worker, or an operator's role
    throttles      int NOT NULL DEFAULT 0,     -- refusals in a row, without a success between them
    -- The pace, by GCRA: a call may be made as soon as `next_at` is less than a burst ahead.
    rate           double precision,           -- permits a second at most, by the settings; NULL: there is no pace
    burst          int,                        -- permits that may be taken at once, by the settings
    slowed_rate    double precision,           -- permits a second at `slowed_at`, when the peer last had too much; grows back
    slowed_at      timestamptz,
    next_at        timestamptz,                -- theoretical arrival time of the next permit
    schedules      bigint NOT NULL DEFAULT 0,  -- number of those who were given the last permits before it
    minute         timestamptz,                -- the last minute in which permits were taken
    permits        int NOT NULL DEFAULT 0,     -- permits taken in it and not given back
    permits_before int NOT NULL DEFAULT 0,     -- and in the minute before it
    -- The circuit breaker, of a whole peer. While it is open nobody calls but who has the probe.
    failures       int NOT NULL DEFAULT 0,     -- failed calls in a row, all within a minute of the one before
    failing        text[] NOT NULL DEFAULT '{}', -- gates of the tokens or accounts whose calls they were, or were refused with them
    failing_since  timestamptz,                -- when the first of them was heard of
    failed_at      timestamptz,                -- and the last
    failing_by     text[] NOT NULL DEFAULT '{}', -- processes whose calls they were, two at most
    unreached_by   text[] NOT NULL DEFAULT '{}', -- and those that did not reach the peer at all
    succeeded_at   timestamptz,                -- when a call last succeeded while failures stood here, it was open, or had been lately
    opened_at      timestamptz,                -- since when it is open; NULL: it is not
    broken_since   timestamptz,                -- when it was first opened without a call that succeeded since
    opened_reason  text,                       -- why it was opened
    opened_by      text,                       -- by which worker
    blamed         text[] NOT NULL DEFAULT '{}', -- gates of the tokens or accounts whose calls opened it lately, the last ones first, 16 at most
    is_silent      boolean NOT NULL DEFAULT false, -- whether the peer takes calls and does not answer, as the last one says
    openings       int NOT NULL DEFAULT 0,     -- cooldowns in a row
    recovered_at   timestamptz,                -- when a probe last closed it
    on_trial       boolean NOT NULL DEFAULT false, -- a probe has closed it, and no call has succeeded since
    cooldown       double precision,           -- seconds until the next probe, as `probe_at` was set
    probe_at       timestamptz,                -- the next probe may be made from then on
    probe_lease    bigint,                     -- the number of who makes it
    probe_until    timestamptz,                -- then another may
    failed_by      text[] NOT NULL DEFAULT '{}', -- processes that have found it broken, of those that are there
    used_at        timestamptz NOT NULL DEFAULT now()
) WITH (
    -- Updated all the time, a row for each user in use: heap-only updates, and vacuum often.
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0
);

-- Seconds that a gate stays closed; 0: open. Never more than it was closed for: a clock that is set back must not lock anybody out.
CREATE FUNCTION sync_gate_closed_for(g sync_gates, at timestamptz) RETURNS double precision
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN g.closed_until > at
                THEN extract(epoch FROM least(g.closed_until - at, g.closed_until - g.closed_at))::double precision ELSE 0 END
$$;

-- Permits a second that a gate gives: its rate, or what it was slowed to and a tenth of the rate more for each minute since.
CREATE FUNCTION sync_gate_pace(g sync_gates, at timestamptz) RETURNS double precision
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN g.slowed_rate IS NULL THEN g.rate
                ELSE least(g.rate, g.slowed_rate + g.rate / 600 * greatest(extract(epoch FROM at - g.slowed_at), 0)) END
        ::double precision
$$;

-- The row of a gate, locked until the transaction ends; made if there is none.
CREATE FUNCTION sync_gate_locked(name text) RETURNS sync_gates LANGUAGE plpgsql AS $$
DECLARE
    found_gate sync_gates;
BEGIN
    -- A row that is there may be deleted in between, which nobody does again and again.
    FOR tries IN 1..20 LOOP
        SELECT * INTO found_gate FROM sync_gates AS g WHERE g.gate = name FOR NO KEY UPDATE;
        IF FOUND THEN
            RETURN found_gate;
        END IF;
        INSERT INTO sync_gates (gate) VALUES (name) ON CONFLICT DO NOTHING;
    END LOOP;
    RAISE EXCEPTION 'sync_gates keeps no row of the gate %: check it for a trigger, rule or policy that skips rows', name;
END
$$;

-- Asks to pass some gates, and takes permits of the one among them that has a pace. One row: the gate that is closed for longest, if
-- any is, for how many seconds, why, and after how many refusals in a row; whether that is a breaker that is open; the gate whose
-- probe the caller has been given, with `lease`, for `probe_for` seconds, and then nothing else; whether calls of a peer have failed
-- lately; else in how many seconds the first permit is due (less
-- than 0 for part of a burst) and how many later each following one is. Permits that are more than `horizon` seconds away are not
-- given: then the gate with the pace is the one that is closed.
--
-- `unused` permits of an earlier call are given back. The last `unused_last` of them move `next_at` back if nobody has been given later
-- ones than those of that call, whose `schedule` it is; the others lapse: a permit that is given anew goes before or among calls that
-- others make at their time. No permit can be due later than `horizon` and those given with it: what says
-- otherwise was written before the clock was set back, and where it says far more, by how much is known to nobody.
CREATE FUNCTION sync_gates_take(
    names text[], paced text, given_rate double precision, given_burst int, wanted int, unused int, unused_last int,
    unused_schedule bigint, horizon double precision, has_succeeded boolean, lease bigint, probe_for double precision, process text
) RETURNS TABLE (
    blocker text, wait double precision, why text, refusals int, is_broken boolean, probed text, is_doubted boolean,
    starts_in double precision, spacing double precision, schedule bigint
)
    LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    at timestamptz := clock_timestamp();
    g sync_gates;
    first_at timestamptz;
    this_minute timestamptz;
    taken int := 0;
BEGIN
    wait := 0;
    is_broken := false;
    is_doubted := false;
    -- Nobody waits for the disk while many wait for the row: permits that a crash forgets are a moment's pace.
    PERFORM set_config('synchronous_commit', 'off', true);
    FOR g IN SELECT * FROM sync_gates AS s
             WHERE s.gate = ANY (names)
                 AND (s.closed_until > at OR s.opened_at IS NOT NULL OR s.failures > 0 OR s.on_trial
                     OR s.recovered_at > at - interval '1 hour') LOOP
        -- For a while after an outage that calls succeed is kept on record: what fails meanwhile is its caller's own matter.
        is_doubted := is_doubted OR g.failures > 0 OR g.on_trial OR g.opened_at IS NOT NULL
            OR coalesce(g.recovered_at BETWEEN at - interval '1 hour' AND at, false)
                AND coalesce(g.succeeded_at NOT BETWEEN at - interval '1 second' AND at, true);
        -- Those whose calls it was opened for leave the first ones after a probe to others, if there are any: what fails may be
        -- their own matter.
        IF g.on_trial AND g.opened_at IS NULL AND g.blamed && names
            AND g.recovered_at BETWEEN at - interval '5 seconds' AND at THEN
            blocker := g.gate;
            is_broken := true;
            why := g.opened_reason;
            refusals := 0;
            wait := extract(epoch FROM g.recovered_at + interval '5 seconds' - at);
            RETURN NEXT;
            RETURN;
        END IF;
        IF g.opened_at IS NOT NULL THEN
            -- A time further ahead than it was set for was set before the clock was set back. By the time at which the row is held:
            -- who came later may have had it first. Who has found it broken leaves the next probe to those who have not, if there are
            -- any, for a moment: it may be the one that is ill. A peer that is closed besides is not called at all.
            UPDATE sync_gates AS s
            SET probe_lease = sync_gates_take.lease, probe_until = clock_timestamp() + probe_for * interval '1 second',
                used_at = at
            WHERE s.gate = g.gate AND s.opened_at IS NOT NULL AND sync_gates_take.lease IS NOT NULL AND probed IS NULL
                AND coalesce(s.closed_until, '-infinity') <= clock_timestamp()
                AND (s.probe_at + CASE WHEN process = ANY (s.failed_by)
                        AND sync_workers_present(clock_timestamp(), cardinality(s.failed_by) + 1) > cardinality(s.failed_by)
                        THEN interval '3 seconds' ELSE interval '0' END <= clock_timestamp()
                    OR s.probe_at > clock_timestamp() + s.cooldown * interval '1 second')
                AND (s.probe_until IS NULL OR s.probe_until <= clock_timestamp()
                    OR s.probe_until > clock_timestamp() + probe_for * interval '1 second');
            IF FOUND THEN
                probed := g.gate;
            ELSE
                blocker := g.gate;
                is_broken := true;
                why := g.opened_reason;
                refusals := 0;
                -- What comes of a probe under way is known soon, most likely.
                wait := greatest(CASE WHEN g.probe_at > at THEN least(extract(epoch FROM g.probe_at - at), g.cooldown) ELSE 2 END,
                    sync_gate_closed_for(g, at));
                RETURN NEXT;
                RETURN;
            END IF;
        END IF;
        CONTINUE WHEN g.closed_until IS NULL OR g.closed_until <= at;
        IF g.closed_at > at + interval '1 second' THEN
            UPDATE sync_gates AS s SET closed_at = at, closed_until = at + (s.closed_until - s.closed_at)
            WHERE s.gate = g.gate AND s.closed_at > at + interval '1 second';
        END IF;
        IF sync_gate_closed_for(g, at) > wait THEN
            wait := sync_gate_closed_for(g, at);
            blocker := g.gate;
            why := g.reason;
            refusals := g.throttles;
        END IF;
    END LOOP;
    IF probed IS NOT NULL OR paced IS NULL OR blocker IS NOT NULL AND unused = 0 THEN
        RETURN NEXT;
        RETURN;
    END IF;
    g := sync_gate_locked(paced);
    at := clock_timestamp();
    g.rate := given_rate;
    spacing := 1 / sync_gate_pace(g, at);
    IF g.schedules IS DISTINCT FROM unused_schedule THEN
        unused_last := 0;
    END IF;
    first_at := least(greatest(CASE WHEN g.next_at - at < 4 * (horizon + (wanted + unused) * spacing) * interval '1 second'
                                    THEN g.next_at - unused_last * spacing * interval '1 second' END, at),
        at + (horizon + (wanted + unused) * spacing) * interval '1 second');
    starts_in := extract(epoch FROM first_at - at) - (given_burst - 1) * spacing;
    IF blocker IS NULL AND starts_in <= horizon THEN
        taken := wanted;
    ELSIF blocker IS NULL THEN
        blocker := paced;
        wait := starts_in;
        why := 'Its permits are given away for the next ' || ceil(starts_in) || ' s.';
    END IF;
    schedule := g.schedules + (taken > 0 OR unused_last > 0)::int;
    this_minute := date_trunc('minute', at);
    UPDATE sync_gates AS s
    SET rate = given_rate, burst = given_burst, next_at = first_at + taken * spacing * interval '1 second',
        schedules = sync_gates_take.schedule,
        slowed_rate = CASE WHEN 1 / sync_gates_take.spacing < given_rate THEN g.slowed_rate END,
        slowed_at = CASE WHEN g.slowed_at > at THEN at ELSE g.slowed_at END,
        throttles = CASE WHEN has_succeeded THEN 0 ELSE s.throttles END,
        minute = this_minute,
        permits = greatest(CASE WHEN s.minute = this_minute THEN s.permits ELSE 0 END + taken - unused, 0),
        permits_before = CASE s.minute WHEN this_minute THEN s.permits_before
                                       WHEN this_minute - interval '1 minute' THEN s.permits ELSE 0 END,
        used_at = at
    WHERE s.gate = paced;
    RETURN NEXT;
END
$$;

-- Closes a gate that refused a call, and halves its pace. `asked` are the seconds that the peer asks for, `longest` at most; NULL: a
-- back-off by the refusals in a row, one to sixty seconds of which half is random. The gate stays closed as long as anybody has been
-- told. `has_succeeded`: a call has succeeded since the last refusal. A call that began before the gate was last closed has met the
-- same refusal: it counts no further one. With `closes` false the pace alone is halved.
--
-- `caller` is the gate of the token or account whose call a whole peer has refused: it is closed once another's was refused too, within
-- a minute, as what one user sends may be the cause. NULL: there is no doubt. Returns for how many seconds the gate is closed, the
-- refusals in a row, and why it is closed, which may be another reason.
CREATE FUNCTION sync_gate_refuse(
    name text, began_ago double precision, asked double precision, longest double precision, why text, who text, closes boolean,
    has_succeeded boolean, caller text
) RETURNS TABLE (wait double precision, refusals int, standing text)
    LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    g sync_gates := sync_gate_locked(name);
    at CONSTANT timestamptz := clock_timestamp();
    began_at CONSTANT timestamptz := at - began_ago * interval '1 second';
    ceiling double precision;
    spacing double precision;
BEGIN
    IF g.rate IS NOT NULL AND coalesce(g.slowed_at, '-infinity') NOT BETWEEN began_at AND at THEN
        -- Where nobody has refused anything, answers that take long may be those of large notes.
        spacing := 1 / sync_gate_pace(g, at);
        g.slowed_rate := greatest(sync_gate_pace(g, at) / 2, g.rate / CASE WHEN closes THEN 20 ELSE 4 END);
        g.slowed_at := at;
        -- What has been given lies closer together than the pace is now, and can't be given back at it. A burst lasts longer at it, and
        -- must not reach back among what has been given.
        g.schedules := g.schedules + 1;
        IF g.next_at > at THEN
            g.next_at := g.next_at + g.burst * greatest(1 / g.slowed_rate - spacing, 0) * interval '1 second';
        END IF;
    END IF;
    wait := sync_gate_closed_for(g, at);
    IF caller IS NOT NULL THEN
        IF coalesce(g.failed_at, '-infinity') NOT BETWEEN at - interval '1 minute' AND at THEN
            g.failing := '{}';
        END IF;
        g.failed_at := at;
        IF caller <> ALL (g.failing) AND cardinality(g.failing) < 2 THEN
            g.failing := g.failing || caller;
        END IF;
        closes := closes AND cardinality(g.failing) >= 2;
    END IF;
    IF closes THEN
        IF coalesce(g.closed_at, '-infinity') NOT BETWEEN began_at AND at THEN
            -- A gate that has been open for as long as it was closed before, and for a minute, was passed meanwhile.
            g.throttles := CASE WHEN has_succeeded
                    OR at - g.closed_until > greatest(g.closed_until - g.closed_at, interval '1 minute')
                THEN 0 ELSE least(g.throttles, 1000) END + 1;
            ceiling := least(2 ^ least(g.throttles - 1, 6), 60);
            asked := coalesce(asked, ceiling * (1 + random()) / 2);
        END IF;
        -- Who has closed it for longer, and why, is still what keeps it closed.
        IF least(coalesce(asked, 0), longest) >= wait THEN
            wait := least(coalesce(asked, 0), longest);
            g.closed_at := at;
            g.closed_until := at + wait * interval '1 second';
            g.reason := why;
            g.closed_by := who;
        END IF;
    END IF;
    UPDATE sync_gates AS s
    SET closed_at = g.closed_at, closed_until = g.closed_until, reason = g.reason, closed_by = g.closed_by, throttles = g.throttles,
        slowed_rate = g.slowed_rate, slowed_at = g.slowed_at, next_at = g.next_at, schedules = g.schedules, failing = g.failing,
        failed_at = g.failed_at, used_at = at
    WHERE s.gate = name;
    refusals := g.throttles;
    standing := g.reason;
    RETURN NEXT;
END
$$;

-- Workers that say they are there; of more than `most` no more is said.
CREATE FUNCTION sync_workers_present(at timestamptz, most int) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM (SELECT FROM sync_workers AS w WHERE w.present_until > at LIMIT most) AS present
$$;

-- Records that a call of a peer has failed, and opens its breaker: where two processes cannot reach it (`is_unreached`), or after
-- `threshold` failures in a row of at least two callers, as two processes have made them, or one for `settling` seconds in which no
-- other has said that a call succeeded. Where one worker is there alone its word is enough: of two, one may have lost its network.
-- After a probe has closed it, the first call that fails opens it again until one has succeeded: a probe shows that a peer is there,
-- and not that all it does is well. Not that of a process that found it broken while another is there that did not: it may be that
-- one's proxy that answers. A call that began before the last success or recovery says nothing, nor does one of a caller who has
-- opened it lately while others' succeed: that is the caller's own matter. Nor does anybody's, for an hour after a probe has closed it,
-- as long as calls go on to succeed: the faults of a few would open it again and again. While the breaker is open its
-- probe alone counts, which is known by its lease: the next comes after a cooldown that grows from `base` to `longest` seconds, a
-- twenty-fourth of it random; less the time for which the probe of a silent peer has waited. A failure that is told of once more (`is_repeated`) counts once. Returns whether it is open, or was and
-- no call has succeeded since, in how many seconds it is probed, why it was opened, and whether no other
-- worker is there.
CREATE FUNCTION sync_gate_fail(
    name text, began_ago double precision, caller text, is_unreached boolean, is_silence boolean, is_repeated boolean, threshold int,
    base double precision, longest double precision, settling double precision, why text, who text, process text, lease bigint
) RETURNS TABLE (is_open boolean, is_trial boolean, wait double precision, cause text, is_alone boolean)
    LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    g sync_gates := sync_gate_locked(name);
    at CONSTANT timestamptz := clock_timestamp();
    began_at CONSTANT timestamptz := at - began_ago * interval '1 second';
    cools boolean := false;
    witnesses CONSTANT bigint := greatest(sync_workers_present(at, 2), 1);
BEGIN
    IF g.opened_at IS NOT NULL THEN
        cools := g.probe_lease = lease;
        IF cools THEN
            g.openings := g.openings + 1;
            g.is_silent := is_silence;
            IF sync_workers_present(at, cardinality(g.failed_by) + 1) <= cardinality(g.failed_by) THEN
                -- All have: it is the others' turn again.
                g.failed_by := ARRAY[process];
            ELSIF process <> ALL (g.failed_by) THEN
                g.failed_by := g.failed_by || process;
            END IF;
        END IF;
    ELSIF greatest(g.recovered_at, g.succeeded_at, '-infinity') NOT BETWEEN began_at AND at
        AND NOT (NOT is_unreached
                 AND (caller = ANY (g.blamed) AND coalesce(g.succeeded_at BETWEEN at - interval '5 seconds' AND at, false)
                     OR coalesce(g.recovered_at BETWEEN at - interval '1 hour' AND at AND g.succeeded_at > g.recovered_at
                         AND g.succeeded_at BETWEEN at - CASE WHEN caller = ANY (g.blamed) THEN interval '15 seconds'
                                                              ELSE interval '3 seconds' END AND at, false))) THEN
        IF coalesce(g.failed_at, '-infinity') NOT BETWEEN at - interval '1 minute' AND at OR g.failures = 0 THEN
            g.failures := 0;
            g.failing := '{}';
            g.failing_by := '{}';
            g.unreached_by := '{}';
            g.failing_since := at;
        END IF;
        g.failures := g.failures + (NOT is_repeated)::int;
        g.failed_at := at;
        IF caller <> ALL (g.failing) AND cardinality(g.failing) < 2 THEN
            g.failing := g.failing || caller;
        END IF;
        IF process <> ALL (g.failing_by) AND cardinality(g.failing_by) < 2 THEN
            g.failing_by := g.failing_by || process;
        END IF;
        IF is_unreached AND process <> ALL (g.unreached_by) AND cardinality(g.unreached_by) < 2 THEN
            g.unreached_by := g.unreached_by || process;
        END IF;
        cools := is_unreached AND cardinality(g.unreached_by) >= witnesses
            OR NOT is_unreached AND g.on_trial AND g.recovered_at BETWEEN at - interval '1 minute' AND at
                AND NOT (process = ANY (g.failed_by)
                    AND sync_workers_present(at, cardinality(g.failed_by) + 1) > cardinality(g.failed_by))
            OR g.failures >= threshold AND cardinality(g.failing) >= 2
                AND (cardinality(g.failing_by) >= witnesses
                    OR g.failing_since NOT BETWEEN at - settling * interval '1 second' AND at);
        IF cools THEN
            g.failed_by := (SELECT array_agg(DISTINCT b) FROM unnest(g.failing_by || g.unreached_by || process
                || CASE WHEN g.broken_since IS NULL THEN '{}' ELSE g.failed_by[1:10] END) AS b);
            g.opened_at := at;
            g.broken_since := coalesce(g.broken_since, at);
            g.opened_reason := why;
            g.opened_by := who;
            g.blamed := ARRAY(
                SELECT b FROM unnest(g.failing || caller || g.blamed) WITH ORDINALITY AS u (b, place)
                GROUP BY b ORDER BY min(place) LIMIT 16);
            g.is_silent := is_silence;
            g.on_trial := false;
            -- A peer that comes and goes is left alone for longer and longer.
            g.openings := CASE WHEN g.recovered_at BETWEEN at - interval '1 minute' AND at THEN g.openings + 1 ELSE 0 END;
            g.failures := 0;
            g.failing := '{}';
            g.failing_by := '{}';
            g.unreached_by := '{}';
        END IF;
    END IF;
    IF cools THEN
        g.cooldown := least(base * 2 ^ least(g.openings, 30), longest) * (1 - random() / 24);
        IF lease IS NOT NULL AND is_silence THEN
            -- The peer has been left alone while the probe waited for it.
            g.cooldown := greatest(g.cooldown - greatest(began_ago, 0), least(g.cooldown, 1));
        END IF;
        g.probe_at := at + g.cooldown * interval '1 second';
        g.probe_lease := NULL;
        g.probe_until := NULL;
    END IF;
    UPDATE sync_gates AS s
    SET failures = g.failures, failing = g.failing, failing_since = g.failing_since, failed_at = g.failed_at,
        failing_by = g.failing_by, unreached_by = g.unreached_by, opened_at = g.opened_at, broken_since = g.broken_since,
        opened_reason = g.opened_reason, opened_by = g.opened_by, blamed = g.blamed, is_silent = g.is_silent,
        on_trial = g.on_trial, openings = g.openings,
        cooldown = g.cooldown, failed_by = g.failed_by, probe_at = g.probe_at, probe_lease = g.probe_lease,
        probe_until = g.probe_until, used_at = at
    WHERE s.gate = name;
    is_open := g.opened_at IS NOT NULL;
    is_trial := g.opened_at IS NULL AND g.on_trial AND g.recovered_at BETWEEN at - interval '1 minute' AND at
        AND NOT coalesce(g.succeeded_at BETWEEN at - interval '5 seconds' AND at, false);
    cause := g.opened_reason;
    is_alone := witnesses = 1;
    wait := CASE WHEN is_open THEN least(greatest(extract(epoch FROM g.probe_at - at), 0), g.cooldown) ELSE 0 END;
    RETURN NEXT;
END
$$;

-- Records that a peer has answered a call as it should: failures are no longer in a row, and its breaker is closed by the probe, or by
-- an earlier one that is late; then it is on trial. Another call that began before the breaker opened does not close it.
CREATE FUNCTION sync_gate_succeed(name text, began_ago double precision, lease bigint) RETURNS void
    LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    at CONSTANT timestamptz := clock_timestamp();
    began_at CONSTANT timestamptz := at - began_ago * interval '1 second';
BEGIN
    UPDATE sync_gates AS s
    SET failures = 0, failing = '{}', failing_by = '{}', unreached_by = '{}', used_at = at, opened_at = NULL,
        -- What a probe has got is not yet a success.
        succeeded_at = CASE WHEN s.opened_at IS NULL THEN at ELSE s.succeeded_at END,
        broken_since = CASE WHEN s.opened_at IS NOT NULL THEN s.broken_since END,
        failed_by = CASE WHEN s.opened_at IS NOT NULL THEN s.failed_by ELSE '{}' END,
        probe_lease = NULL, probe_until = NULL, probe_at = NULL, on_trial = s.opened_at IS NOT NULL,
        recovered_at = CASE WHEN s.opened_at IS NULL THEN s.recovered_at ELSE at END
    WHERE s.gate = name
        AND CASE WHEN s.opened_at IS NULL
                 THEN s.failures > 0 OR s.on_trial
                     OR s.recovered_at BETWEEN at - interval '1 hour' AND at
                         AND coalesce(s.succeeded_at NOT BETWEEN at - interval '1 second' AND at, true)
                 ELSE lease IS NOT NULL AND (s.probe_lease = lease OR s.opened_at NOT BETWEEN began_at AND at) END;
    IF NOT FOUND AND lease IS NULL THEN
        UPDATE sync_gates AS s SET succeeded_at = at WHERE s.gate = name AND s.opened_at IS NOT NULL;
    END IF;
END
$$;

-- A gate that is closed for longer than it was is known to all workers at once, whose jobs hold permits of it.
CREATE FUNCTION sync_gates_closed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM sync_queue_notify('sync_gates_closed', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER sync_gates_made_closed AFTER INSERT ON sync_gates
    FOR EACH ROW WHEN (NEW.closed_until > clock_timestamp()) EXECUTE FUNCTION sync_gates_closed();
CREATE TRIGGER sync_gates_closed AFTER UPDATE OF closed_until ON sync_gates
    FOR EACH ROW WHEN (NEW.closed_until > clock_timestamp() AND NEW.closed_until IS DISTINCT FROM OLD.closed_until)
    EXECUTE FUNCTION sync_gates_closed();

-- Who closes a gate by hand is the role whose statement it is, whatever the statement says. Workers, which alone may move the pace, say
-- which of them it was. Does not run as its owner.
CREATE FUNCTION sync_gates_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT has_column_privilege(TG_RELID, 'next_at', 'UPDATE') THEN
        NEW.closed_by := current_user;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER sync_gates_named_first BEFORE INSERT ON sync_gates
    FOR EACH ROW WHEN (NEW.closed_by IS NOT NULL) EXECUTE FUNCTION sync_gates_name();
CREATE TRIGGER sync_gates_named BEFORE UPDATE OF closed_at, closed_until, reason, closed_by ON sync_gates
    FOR EACH ROW WHEN (NEW.closed_until > clock_timestamp()
        OR (NEW.reason, NEW.closed_by) IS DISTINCT FROM (OLD.reason, OLD.closed_by))
    EXECUTE FUNCTION sync_gates_name();

-- Operators may write times, and neither what is infinite nor what lies millennia away can be reckoned with: a gate that is closed for
-- ever is so for a century.
CREATE FUNCTION sync_gates_bound() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := clock_timestamp();
    lowest timestamptz := to_timestamp(-30610224000);  -- the year 1000
    highest timestamptz := to_timestamp(221845392000);  -- and 9000
BEGIN
    IF NEW.closed_until NOT BETWEEN lowest AND highest THEN
        NEW.closed_until := CASE WHEN NEW.closed_until > at THEN at + interval '100 years' END;
    END IF;
    IF NEW.next_at NOT BETWEEN lowest AND highest THEN NEW.next_at := NULL; END IF;
    IF NEW.minute NOT BETWEEN lowest AND highest THEN NEW.minute := NULL; END IF;
    IF NEW.closed_at NOT BETWEEN lowest AND highest THEN NEW.closed_at := at; END IF;
    IF NEW.slowed_at NOT BETWEEN lowest AND highest THEN NEW.slowed_at := at; END IF;
    IF NEW.failing_since NOT BETWEEN lowest AND highest THEN NEW.failing_since := at; END IF;
    IF NEW.failed_at NOT BETWEEN lowest AND highest THEN NEW.failed_at := at; END IF;
    IF NEW.succeeded_at NOT BETWEEN lowest AND highest THEN NEW.succeeded_at := at; END IF;
    IF NEW.opened_at NOT BETWEEN lowest AND highest THEN NEW.opened_at := at; END IF;
    IF NEW.broken_since NOT BETWEEN lowest AND highest THEN NEW.broken_since := at; END IF;
    IF NEW.recovered_at NOT BETWEEN lowest AND highest THEN NEW.recovered_at := at; END IF;
    IF NEW.probe_at NOT BETWEEN lowest AND highest THEN NEW.probe_at := at; END IF;
    IF NEW.probe_until NOT BETWEEN lowest AND highest THEN NEW.probe_until := at; END IF;
    IF NEW.used_at NOT BETWEEN lowest AND highest THEN NEW.used_at := at; END IF;
    -- A breaker that nobody probes would stay open.
    IF NEW.opened_at IS NOT NULL THEN NEW.probe_at := coalesce(NEW.probe_at, at); END IF;
    IF NOT abs(NEW.rate) < 1e9 THEN NEW.rate := NULL; END IF;
    IF NOT abs(NEW.slowed_rate) < 1e9 THEN NEW.slowed_rate := NULL; END IF;
    IF NOT abs(NEW.cooldown) < 1e9 THEN NEW.cooldown := NULL; END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER sync_gates_bounded BEFORE INSERT OR UPDATE ON sync_gates
    FOR EACH ROW WHEN (NOT (
        greatest(NEW.closed_at, NEW.closed_until, NEW.slowed_at, NEW.next_at, NEW.minute, NEW.failing_since, NEW.failed_at,
            NEW.succeeded_at, NEW.opened_at, NEW.broken_since, NEW.recovered_at, NEW.probe_at, NEW.probe_until, NEW.used_at) <= to_timestamp(221845392000)
        AND least(NEW.closed_at, NEW.closed_until, NEW.slowed_at, NEW.next_at, NEW.minute, NEW.failing_since, NEW.failed_at,
            NEW.succeeded_at, NEW.opened_at, NEW.broken_since, NEW.recovered_at, NEW.probe_at, NEW.probe_until, NEW.used_at) >= to_timestamp(-30610224000)
        AND coalesce(greatest(abs(NEW.rate), abs(NEW.slowed_rate), abs(NEW.cooldown)) < 1e9, true)
        AND (NEW.opened_at IS NULL OR NEW.probe_at IS NOT NULL)))
    EXECUTE FUNCTION sync_gates_bound();

-- Users who have other credentials while the record or the queue row of a job of theirs is locked that waits for the gate of their token,
-- account or workspace; see `recallJobs`. Nobody waits to add one: a user may stand here more than once.
CREATE TABLE sync_replaced_credentials (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id varchar(255) NOT NULL
);

-- Jobs that wait for the gate of a user's token, account or workspace are due when the user has other ones. Those of a whole peer wait on.
-- What somebody has locked is due once the lock is gone. By sync_queue_snoozed_user.
CREATE FUNCTION sync_credentials_replaced() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    UPDATE sync_jobs AS j SET run_at = clock_timestamp()
    WHERE j.status = 'queued' AND j.job_id IN (
        SELECT r.job_id FROM sync_jobs AS r JOIN sync_queue AS q ON q.job_id = r.job_id
        WHERE q.snoozed_since IS NOT NULL AND q.lease IS NULL AND q.user_id = NEW.user_id AND strpos(q.gate, '/') > 0
            AND q.run_at > clock_timestamp()
        FOR NO KEY UPDATE OF r, q SKIP LOCKED);
    INSERT INTO sync_replaced_credentials (user_id)
    SELECT NEW.user_id WHERE EXISTS (
        SELECT FROM sync_queue AS q
        WHERE q.snoozed_since IS NOT NULL AND q.lease IS NULL AND q.user_id = NEW.user_id AND strpos(q.gate, '/') > 0
            AND q.run_at > clock_timestamp());
    RETURN NULL;
END
$$;

CREATE TRIGGER sync_credentials_stored AFTER INSERT ON credentials
    FOR EACH ROW EXECUTE FUNCTION sync_credentials_replaced();
-- Not when a row is saved whole and these columns are what they were, as Django does it.
CREATE TRIGGER sync_credentials_replaced AFTER UPDATE OF google_oauth_token, notion_api_token, notion_database_id ON credentials
    FOR EACH ROW
    WHEN ((OLD.google_oauth_token, OLD.notion_api_token, OLD.notion_database_id)
        IS DISTINCT FROM (NEW.google_oauth_token, NEW.notion_api_token, NEW.notion_database_id))
    EXECUTE FUNCTION sync_credentials_replaced();

-- A pause that is set is the last of its kind: one that ended by itself before is no longer told of as such.
CREATE FUNCTION sync_pauses_set() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    DELETE FROM sync_ended_pauses AS e WHERE e.scope = NEW.scope AND e.key = NEW.key;
    RETURN NULL;
END
$$;

CREATE TRIGGER sync_pauses_set AFTER INSERT ON sync_pauses
    FOR EACH ROW EXECUTE FUNCTION sync_pauses_set();

-- As in 0002_job_queue.sql: functions find their owner's tables alone, and EXECUTE is not for everybody.
SELECT sync_seal_functions();
