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

CREATE FUNCTION public.sync_bound(given anyelement, kept anyelement, least_value anyelement, greatest_value anyelement) RETURNS anyelement
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT CASE WHEN given IS NULL OR given IS NOT DISTINCT FROM kept THEN given
                ELSE least(greatest(given, least_value), greatest_value) END
$$;

CREATE FUNCTION public.sync_credentials_bound() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    NEW.google_oauth_token := left(NEW.google_oauth_token, 65536);
    NEW.notion_api_token := left(NEW.notion_api_token, 65536);
    RETURN NEW;
END
$$;

CREATE FUNCTION public.sync_credentials_changed() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NEW.binding IS NOT NULL AND NEW.binding IS DISTINCT FROM OLD.binding THEN
        NEW.binding_cleared_at := NULL;
    ELSIF OLD.binding IS NOT NULL AND (NEW.binding IS NULL
        OR (NEW.user_id, NEW.google_oauth_token, NEW.notion_api_token, NEW.notion_database_id)
            IS DISTINCT FROM (OLD.user_id, OLD.google_oauth_token, OLD.notion_api_token, OLD.notion_database_id)) THEN
        NEW.binding := NULL;
        NEW.binding_cleared_at := clock_timestamp();
    ELSE
        NEW.binding_cleared_at := OLD.binding_cleared_at;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION public.sync_credentials_inserted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    NEW.binding_cleared_at := coalesce(NEW.binding_cleared_at,
        (SELECT u.unbound_at FROM sync_unbound_users AS u WHERE u.user_id = NEW.user_id));
    RETURN NEW;
END
$$;

CREATE FUNCTION public.sync_credentials_replaced() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_credentials_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO sync_unbound_users
    SELECT user_id, clock_timestamp() FROM credentials WHERE binding IS NOT NULL OR binding_cleared_at IS NOT NULL
    ON CONFLICT (user_id) DO UPDATE SET unbound_at = excluded.unbound_at;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.sync_credentials_unbound() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO sync_unbound_users VALUES (OLD.user_id, clock_timestamp())
    ON CONFLICT (user_id) DO UPDATE SET unbound_at = excluded.unbound_at;
    RETURN NULL;
END
$$;

CREATE TABLE public.sync_gates (
    gate text NOT NULL,
    peer text GENERATED ALWAYS AS (split_part(gate, '/'::text, 1)) STORED NOT NULL,
    scope text GENERATED ALWAYS AS (COALESCE(NULLIF(split_part(gate, '/'::text, 2), ''::text), 'peer'::text)) STORED NOT NULL,
    closed_at timestamp with time zone,
    closed_until timestamp with time zone,
    reason text,
    closed_by text,
    throttles integer DEFAULT 0 NOT NULL,
    rate double precision,
    burst integer,
    slowed_rate double precision,
    slowed_at timestamp with time zone,
    next_at timestamp with time zone,
    schedules bigint DEFAULT 0 NOT NULL,
    minute timestamp with time zone,
    permits integer DEFAULT 0 NOT NULL,
    permits_before integer DEFAULT 0 NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    failing text[] DEFAULT '{}'::text[] NOT NULL,
    failing_since timestamp with time zone,
    failed_at timestamp with time zone,
    failing_by text[] DEFAULT '{}'::text[] NOT NULL,
    unreached_by text[] DEFAULT '{}'::text[] NOT NULL,
    succeeded_at timestamp with time zone,
    opened_at timestamp with time zone,
    broken_since timestamp with time zone,
    opened_reason text,
    opened_by text,
    blamed text[] DEFAULT '{}'::text[] NOT NULL,
    is_silent boolean DEFAULT false NOT NULL,
    openings integer DEFAULT 0 NOT NULL,
    recovered_at timestamp with time zone,
    on_trial boolean DEFAULT false NOT NULL,
    cooldown double precision,
    probe_at timestamp with time zone,
    probe_lease bigint,
    probe_until timestamp with time zone,
    failed_by text[] DEFAULT '{}'::text[] NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sync_gates_scope_check CHECK ((scope = ANY (ARRAY['peer'::text, 'token'::text, 'account'::text, 'workspace'::text])))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.1', autovacuum_vacuum_threshold='500', autovacuum_vacuum_cost_delay='0');

CREATE FUNCTION public.sync_gate_closed_for(g public.sync_gates, at timestamp with time zone) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT CASE WHEN g.closed_until > at
                THEN extract(epoch FROM least(g.closed_until - at, g.closed_until - g.closed_at))::double precision ELSE 0 END
$$;

CREATE FUNCTION public.sync_gate_fail(name text, began_ago double precision, caller text, is_unreached boolean, is_silence boolean, is_repeated boolean, threshold integer, base double precision, longest double precision, settling double precision, why text, who text, process text, lease bigint) RETURNS TABLE(is_open boolean, is_trial boolean, wait double precision, cause text, is_alone boolean)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_gate_locked(name text) RETURNS public.sync_gates
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_gate_pace(g public.sync_gates, at timestamp with time zone) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT CASE WHEN g.slowed_rate IS NULL THEN g.rate
                ELSE least(g.rate, g.slowed_rate + g.rate / 600 * greatest(extract(epoch FROM at - g.slowed_at), 0)) END
        ::double precision
$$;

CREATE FUNCTION public.sync_gate_refuse(name text, began_ago double precision, asked double precision, longest double precision, why text, who text, closes boolean, has_succeeded boolean, caller text) RETURNS TABLE(wait double precision, refusals integer, standing text)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_gate_succeed(name text, began_ago double precision, lease bigint) RETURNS void
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_gates_bound() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_gates_closed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM sync_queue_notify('sync_gates_closed', '');
    RETURN NULL;
END
$$;

CREATE FUNCTION public.sync_gates_name() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NOT has_column_privilege(TG_RELID, 'next_at', 'UPDATE') THEN
        NEW.closed_by := current_user;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION public.sync_gates_take(names text[], paced text, given_rate double precision, given_burst integer, wanted integer, unused integer, unused_last integer, unused_schedule bigint, horizon double precision, has_succeeded boolean, lease bigint, probe_for double precision, process text) RETURNS TABLE(blocker text, wait double precision, why text, refusals integer, is_broken boolean, probed text, is_doubted boolean, starts_in double precision, spacing double precision, schedule bigint)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_intent_replaced() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    is_another CONSTANT boolean := OLD.operation <> NEW.operation
        OR coalesce(OLD.notion_database_id <> NEW.notion_database_id, false);
BEGIN
    IF is_another THEN
        UPDATE sync_unheard_requests SET surplus_since = clock_timestamp()
        WHERE user_id = OLD.user_id AND keep_note_id = OLD.keep_note_id AND operation = 'create' AND surplus_since IS NULL;
        DELETE FROM sync_unheard_requests
        WHERE user_id = OLD.user_id AND keep_note_id = OLD.keep_note_id AND operation = 'update';
    END IF;
    IF OLD.operation = 'create' OR NOT is_another THEN
        INSERT INTO sync_unheard_requests (user_id, keep_note_id, request, operation, notion_page_id, idempotency_key, content_hash,
            keep_modified_at, job_id, notion_database_id, sent_at, surplus_since)
        VALUES (OLD.user_id, OLD.keep_note_id, OLD.request, OLD.operation, OLD.notion_page_id, OLD.idempotency_key,
            OLD.content_hash, OLD.keep_modified_at, OLD.job_id, OLD.notion_database_id, OLD.created_at,
            CASE WHEN is_another THEN clock_timestamp() END)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.sync_intent_unknown() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_jobs_admit() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NOT has_table_privilege(TG_RELID, 'DELETE') THEN
        RAISE EXCEPTION 'a job is inserted with the status queued, not %', quote_literal(NEW.status)
            USING ERRCODE = 'insufficient_privilege',
                HINT = 'Roles that may delete from sync_jobs may insert jobs of any status.';
    END IF;
    RETURN NEW;
END
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
    snoozes integer DEFAULT 0 NOT NULL,
    max_crashes integer DEFAULT 3 NOT NULL,
    lease bigint,
    last_write bigint DEFAULT 0 NOT NULL,
    rescued_lease bigint,
    worker text,
    started_at timestamp with time zone,
    last_error text,
    last_error_at timestamp with time zone,
    traceparent text,
    is_forced boolean DEFAULT false NOT NULL,
    failed_at timestamp with time zone
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.02', autovacuum_analyze_threshold='1000', autovacuum_vacuum_cost_delay='0');

CREATE FUNCTION public.sync_jobs_bound(record public.sync_jobs, kept public.sync_jobs) RETURNS public.sync_jobs
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_jobs_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_jobs_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_jobs_failure(record public.sync_jobs) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT coalesce(
        nullif(btrim(record.error_message), ''),
        format('The job was set to failed by SQL, without an error_message, by the role %s.',
            coalesce(nullif(current_setting('role', true), 'none'), session_user))
            || coalesce(' Its last error: ' || nullif(btrim(record.last_error), ''), ''))
$$;

CREATE FUNCTION public.sync_jobs_inserted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_jobs_kept() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NOT has_table_privilege(TG_RELID, 'DELETE') THEN
        NEW.created_at := OLD.created_at;
        NEW.completed_at := CASE WHEN NEW.completed_at IS NOT NULL
            THEN greatest(NEW.completed_at, coalesce(OLD.completed_at, timezone('utc', now()) - interval '1 day')) END;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION public.sync_jobs_refused(jobs uuid[], completes boolean) RETURNS TABLE(refused uuid, state text, message text)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_jobs_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    DELETE FROM sync_queue;
    PERFORM sync_queue_notify('sync_jobs_revoked', '');
    RETURN NULL;
END
$$;

CREATE FUNCTION public.sync_lease_is_lost(job uuid) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION 'the lease of job % is no longer held', job USING ERRCODE = 'SY001';
END
$$;

CREATE FUNCTION public.sync_log_wait(of_job uuid, held_by bigint, gate text, reason text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $_$
DECLARE
    words CONSTANT text := 'Waits for the gate ' || gate || ': ';
    latest record;
BEGIN
    IF NOT EXISTS (SELECT FROM sync_jobs WHERE job_id = of_job AND lease = held_by) THEN
        RETURN;
    END IF;
    SELECT l.id, l.message INTO latest FROM sync_logs AS l WHERE l.job_id = of_job ORDER BY l.id DESC LIMIT 1;
    IF starts_with(latest.message, words) THEN
        UPDATE sync_logs
        SET message = words || reason || ' (found closed '
            || coalesce(substring(latest.message FROM '\(found closed ([0-9]{1,9}) times\)$')::int, 1) + 1 || ' times)'
        WHERE id = latest.id;
    ELSE
        INSERT INTO sync_logs (job_id, level, message) VALUES (of_job, 'INFO', words || reason);
    END IF;
END
$_$;

CREATE FUNCTION public.sync_logs_bound() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    NEW.message := left(NEW.message, 16384);
    RETURN NEW;
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

CREATE FUNCTION public.sync_pauses_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF OLD.scope = 'user' THEN
        PERFORM sync_queue_unpark(OLD.key, false);
    END IF;
    PERFORM sync_queue_wake();
    RETURN NULL;
END
$$;

CREATE FUNCTION public.sync_pauses_name() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NOT pg_has_role((SELECT c.relowner FROM pg_catalog.pg_class AS c WHERE c.oid = TG_RELID), 'USAGE') THEN
        NEW.paused_by := current_user;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION public.sync_pauses_over() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_pauses_set() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    DELETE FROM sync_ended_pauses AS e WHERE e.scope = NEW.scope AND e.key = NEW.key;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.sync_pauses_timed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NEW.scope = 'user' AND NEW.paused_until <= clock_timestamp() THEN
        PERFORM sync_queue_unpark(NEW.key, false);
    END IF;
    PERFORM sync_queue_wake();
    RETURN NULL;
END
$$;

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
    SELECT q.job_id, q.user_id, 'stale'
    FROM sync_queue AS q
    JOIN sync_jobs AS j ON j.job_id = q.job_id
    WHERE j.lease IS NULL AND q.lease IS NULL AND j.is_forced <> q.is_forced
    UNION ALL
    SELECT q.job_id, min(q.user_id), 'double' FROM sync_queue AS q GROUP BY q.job_id HAVING count(*) > 1
$$;

CREATE FUNCTION public.sync_queue_keep_one(record public.sync_jobs) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_queue_mark(record public.sync_jobs) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_queue_notify(channel text, payload text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify(channel, payload);
    END IF;
END
$$;

CREATE FUNCTION public.sync_queue_remove(record public.sync_jobs, OUT is_ahead boolean, OUT gate text, OUT snoozed_since timestamp with time zone) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_queue_rows(record public.sync_jobs) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_queue_wake(other_than uuid DEFAULT NULL::uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_record_surplus_pages(of_user text, of_job uuid, notes text[], pages text[], times timestamp without time zone[], hashes text[], databases text[], keys uuid[], are_late boolean) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    noted text[];
    made text[];
    has_others boolean[];
BEGIN
    IF EXISTS (
        SELECT FROM unnest(notes, databases) AS m (note_id, database_id)
        WHERE (SELECT true FROM sync_state AS s WHERE s.user_id = of_user AND s.keep_note_id = m.note_id LIMIT 1) IS NULL
            AND NOT (are_late AND EXISTS (
                SELECT FROM sync_intents AS i
                WHERE i.user_id = of_user AND i.keep_note_id = m.note_id AND i.notion_database_id <> m.database_id)))
    THEN
        PERFORM sync_state_is_lost();
    END IF;
    WITH rest AS MATERIALIZED (
        SELECT m.*, known.notion_page_id AS own_page, known.content_hash AS shown
        FROM unnest(notes, pages, times, hashes, databases, keys) AS m (note_id, page_id, modified_at, hash, database_id, key)
        LEFT JOIN LATERAL (
            SELECT s.notion_page_id, s.content_hash FROM sync_state AS s
            WHERE s.user_id = of_user AND s.keep_note_id = m.note_id LIMIT 1
        ) AS known ON true
        WHERE known.notion_page_id IS DISTINCT FROM m.page_id
    ), surplus AS (
        INSERT INTO sync_surplus_pages (user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key, job_id)
        SELECT of_user, note_id, page_id, database_id, key, of_job FROM rest
        ON CONFLICT DO NOTHING
        RETURNING keep_note_id, notion_page_id
    ), asked AS (
        INSERT INTO sync_failed_notes (user_id, keep_note_id, keep_modified_at, code, error, job_id)
        SELECT of_user, m.note_id, m.modified_at AT TIME ZONE 'UTC', 'superseded',
            'Another request made the note''s page; this text is on a surplus page and comes with the next sync.', of_job
        FROM surplus
        JOIN rest AS m ON m.note_id = surplus.keep_note_id
        WHERE m.shown IS DISTINCT FROM m.hash
        ON CONFLICT (user_id, keep_note_id) DO UPDATE
        SET code = excluded.code, error = excluded.error, job_id = excluded.job_id, content_hash = NULL,
            keep_modified_at = least(sync_failed_notes.keep_modified_at, excluded.keep_modified_at)
    )
    SELECT array_agg(s.keep_note_id), array_agg(s.notion_page_id), array_agg(m.own_page IS NOT NULL)
    INTO noted, made, has_others
    FROM surplus AS s
    JOIN rest AS m ON m.note_id = s.keep_note_id AND m.page_id = s.notion_page_id;
    PERFORM sync_try_log(of_job, note_id, 'WARNING', 'Surplus page ' || page_id
        || CASE WHEN has_other THEN ': the note has another.' ELSE ': the note''s is being made in another database.' END
        || ' See: syncctl unknown surplus')
    FROM unnest(noted, made, has_others) AS m (note_id, page_id, has_other)
    WHERE (SELECT true FROM sync_jobs WHERE job_id = of_job FOR KEY SHARE SKIP LOCKED);
END
$$;

CREATE FUNCTION public.sync_seal_functions() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.sync_settle_earlier_requests(of_user text, created text[], updated text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF created IS NOT NULL THEN
        UPDATE sync_unheard_requests SET surplus_since = clock_timestamp()
        WHERE user_id = of_user AND keep_note_id = ANY (created) AND operation = 'create' AND surplus_since IS NULL;
    END IF;
    IF updated IS NOT NULL THEN
        DELETE FROM sync_unheard_requests
        WHERE user_id = of_user AND keep_note_id = ANY (updated) AND operation = 'update';
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

CREATE FUNCTION public.sync_state_is_lost() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION 'sync_state does not keep what is written: check it for a trigger, rule or policy that skips rows';
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

CREATE FUNCTION public.sync_try_log(of_job uuid, of_note text, of_level text, words text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO sync_logs (job_id, keep_note_id, level, message) VALUES (of_job, of_note, of_level, words);
EXCEPTION WHEN OTHERS THEN
    RAISE LOG 'a line of the log of job % is lost: %', of_job, SQLERRM;
END
$$;

CREATE FUNCTION public.sync_workers_present(at timestamp with time zone, most integer) RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT count(*) FROM (SELECT FROM sync_workers AS w WHERE w.present_until > at LIMIT most) AS present
$$;

CREATE TABLE public.credentials (
    user_id character varying(255) NOT NULL,
    google_oauth_token text NOT NULL,
    notion_api_token text NOT NULL,
    notion_database_id character varying(255) NOT NULL,
    updated_at timestamp without time zone DEFAULT timezone('utc'::text, now()) NOT NULL,
    binding text,
    binding_cleared_at timestamp with time zone
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
    was_trial boolean DEFAULT false NOT NULL,
    was_outage boolean DEFAULT false NOT NULL,
    resolution text,
    reason text,
    request bigint DEFAULT 0 NOT NULL,
    open_until timestamp with time zone,
    notion_database_id character varying(255),
    CONSTRAINT sync_intents_operation_check CHECK ((operation = ANY (ARRAY['create'::text, 'update'::text]))),
    CONSTRAINT sync_intents_resolution_check CHECK ((resolution = ANY (ARRAY['retry'::text, 'hold'::text])))
);

CREATE TABLE public.sync_queue (
    job_id uuid NOT NULL,
    run_at timestamp with time zone NOT NULL,
    lease bigint,
    lease_expires_at timestamp with time zone,
    priority smallint NOT NULL,
    is_parked boolean DEFAULT false NOT NULL,
    is_renewed boolean DEFAULT false NOT NULL,
    is_forced boolean DEFAULT false NOT NULL,
    user_id character varying(255) NOT NULL,
    snoozed_since timestamp with time zone,
    gate text,
    CONSTRAINT sync_queue_check CHECK (((lease IS NULL) OR (NOT is_parked)))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0', autovacuum_vacuum_insert_scale_factor='0.05');

CREATE VIEW public.sync_abandoned_writes AS
 SELECT i.user_id,
    i.keep_note_id,
    i.operation
   FROM public.sync_intents i
  WHERE ((i.unknown_at IS NULL) AND (i.created_at < (clock_timestamp() - '00:00:01'::interval)) AND ((COALESCE((i.open_until <= clock_timestamp()), true) AND (NOT (EXISTS ( SELECT
           FROM public.sync_queue q
          WHERE (((q.user_id)::text = (i.user_id)::text) AND (q.lease = i.lease) AND (q.lease_expires_at > clock_timestamp())))))) OR (EXISTS ( SELECT
           FROM public.sync_queue q
          WHERE (((q.user_id)::text = (i.user_id)::text) AND (q.lease = i.lease) AND (q.lease_expires_at <= clock_timestamp())))) OR (EXISTS ( SELECT
           FROM public.sync_jobs j
          WHERE ((j.job_id = i.job_id) AND (j.rescued_lease = i.lease))))));

CREATE TABLE public.sync_alert_channels (
    channel text NOT NULL,
    target text NOT NULL,
    known_since timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    window_started_at timestamp with time zone DEFAULT now() NOT NULL,
    sent integer DEFAULT 0 NOT NULL,
    sent_critical integer DEFAULT 0 NOT NULL,
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
    target text,
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
    kinds text[] DEFAULT '{}'::text[] NOT NULL,
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

CREATE TABLE public.sync_ended_pauses (
    scope text NOT NULL,
    key character varying(255) NOT NULL,
    reason text NOT NULL,
    paused_by text NOT NULL,
    paused_at timestamp with time zone NOT NULL,
    paused_until timestamp with time zone NOT NULL
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

CREATE TABLE public.sync_pauses (
    id bigint NOT NULL,
    scope text NOT NULL,
    key character varying(255) DEFAULT ''::character varying NOT NULL,
    reason text NOT NULL,
    paused_by text DEFAULT CURRENT_USER NOT NULL,
    paused_at timestamp with time zone DEFAULT now() NOT NULL,
    paused_until timestamp with time zone,
    CONSTRAINT sync_pauses_check CHECK (((scope <> 'all'::text) OR ((key)::text = ''::text))),
    CONSTRAINT sync_pauses_scope_check CHECK ((scope = ANY (ARRAY['all'::text, 'peer'::text, 'user'::text])))
);

ALTER TABLE public.sync_pauses ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sync_pauses_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

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
    held_until timestamp with time zone NOT NULL,
    is_only boolean DEFAULT true NOT NULL,
    CONSTRAINT sync_pruning_is_only_check CHECK (is_only)
);

CREATE TABLE public.sync_queue_walk (
    created_at timestamp without time zone NOT NULL,
    job_id uuid NOT NULL,
    is_only boolean DEFAULT true NOT NULL,
    CONSTRAINT sync_queue_walk_is_only_check CHECK (is_only)
);

CREATE TABLE public.sync_replaced_credentials (
    id bigint NOT NULL,
    user_id character varying(255) NOT NULL
);

ALTER TABLE public.sync_replaced_credentials ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sync_replaced_credentials_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
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

CREATE TABLE public.sync_stopped_workers (
    instance uuid NOT NULL,
    worker text NOT NULL,
    stopped_at timestamp with time zone DEFAULT now() NOT NULL,
    leases bigint[] DEFAULT '{}'::bigint[] NOT NULL
);

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

CREATE TABLE public.sync_unbound_users (
    user_id character varying(255) NOT NULL,
    unbound_at timestamp with time zone NOT NULL
);

CREATE TABLE public.sync_unknown_outcomes (
    operation text NOT NULL,
    CONSTRAINT sync_unknown_outcomes_operation_check CHECK ((operation = ANY (ARRAY['create'::text, 'update'::text])))
);

CREATE VIEW public.sync_uncounted_outcomes AS
 SELECT sync_unknown_outcomes.operation
   FROM public.sync_unknown_outcomes
UNION ALL
 SELECT sync_abandoned_writes.operation
   FROM public.sync_abandoned_writes;

CREATE TABLE public.sync_unheard_requests (
    user_id character varying(255) NOT NULL,
    keep_note_id character varying(255) NOT NULL,
    request bigint NOT NULL,
    operation text NOT NULL,
    notion_page_id character varying(255),
    idempotency_key uuid NOT NULL,
    content_hash text NOT NULL,
    keep_modified_at timestamp with time zone NOT NULL,
    job_id uuid NOT NULL,
    notion_database_id character varying(255),
    sent_at timestamp with time zone NOT NULL,
    surplus_since timestamp with time zone,
    CONSTRAINT sync_unheard_requests_operation_check CHECK ((operation = ANY (ARRAY['create'::text, 'update'::text])))
);

CREATE VIEW public.sync_unknown_writes AS
 SELECT i.user_id,
    i.keep_note_id,
    i.operation
   FROM public.sync_intents i
  WHERE ((i.unknown_at IS NOT NULL) OR (i.unknown_count > 0) OR COALESCE((i.open_until <= clock_timestamp()), true) OR (NOT (EXISTS ( SELECT
           FROM public.sync_queue q
          WHERE (((q.user_id)::text = (i.user_id)::text) AND (q.lease = i.lease) AND (q.lease_expires_at > clock_timestamp()))))));

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
    present_until timestamp with time zone,
    claims_held_since timestamp with time zone,
    claims_failing_since timestamp with time zone
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

ALTER TABLE ONLY public.sync_ended_pauses
    ADD CONSTRAINT sync_ended_pauses_pkey PRIMARY KEY (scope, key);

ALTER TABLE ONLY public.sync_failed_notes
    ADD CONSTRAINT sync_failed_notes_pkey PRIMARY KEY (user_id, keep_note_id);

ALTER TABLE ONLY public.sync_gates
    ADD CONSTRAINT sync_gates_pkey PRIMARY KEY (gate);

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

ALTER TABLE ONLY public.sync_pauses
    ADD CONSTRAINT sync_pauses_pkey PRIMARY KEY (scope, key);

ALTER TABLE ONLY public.sync_peer_health
    ADD CONSTRAINT sync_peer_health_pkey PRIMARY KEY (peer);

ALTER TABLE ONLY public.sync_peer_successes
    ADD CONSTRAINT sync_peer_successes_pkey PRIMARY KEY (peer);

ALTER TABLE ONLY public.sync_pruning
    ADD CONSTRAINT sync_pruning_pkey PRIMARY KEY (is_only);

ALTER TABLE ONLY public.sync_queue_walk
    ADD CONSTRAINT sync_queue_walk_pkey PRIMARY KEY (is_only);

ALTER TABLE ONLY public.sync_replaced_credentials
    ADD CONSTRAINT sync_replaced_credentials_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sync_state
    ADD CONSTRAINT sync_state_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sync_state
    ADD CONSTRAINT sync_state_user_id_keep_note_id_key UNIQUE (user_id, keep_note_id);

ALTER TABLE ONLY public.sync_stopped_workers
    ADD CONSTRAINT sync_stopped_workers_pkey PRIMARY KEY (instance);

ALTER TABLE ONLY public.sync_surplus_pages
    ADD CONSTRAINT sync_surplus_pages_pkey PRIMARY KEY (user_id, keep_note_id, notion_page_id);

ALTER TABLE ONLY public.sync_takeovers
    ADD CONSTRAINT sync_takeovers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sync_throughput
    ADD CONSTRAINT sync_throughput_pkey PRIMARY KEY (minute, worker);

ALTER TABLE ONLY public.sync_unbound_users
    ADD CONSTRAINT sync_unbound_users_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.sync_unheard_requests
    ADD CONSTRAINT sync_unheard_requests_pkey PRIMARY KEY (user_id, keep_note_id, request);

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

CREATE INDEX sync_ended_pauses_until ON public.sync_ended_pauses USING btree (paused_until);

CREATE INDEX sync_intents_unknown ON public.sync_intents USING btree (unknown_at) WHERE (unknown_at IS NOT NULL);

CREATE INDEX sync_jobs_recent ON public.sync_jobs USING btree (created_at DESC, job_id DESC);

CREATE INDEX sync_jobs_unsuccessful ON public.sync_jobs USING btree (created_at DESC, job_id DESC) WHERE (failed_at IS NOT NULL);

CREATE INDEX sync_jobs_user_recent ON public.sync_jobs USING btree (user_id, created_at DESC, job_id DESC);

CREATE INDEX sync_logs_job ON public.sync_logs USING btree (job_id);

CREATE INDEX sync_pauses_until ON public.sync_pauses USING btree (paused_until) WHERE (paused_until IS NOT NULL);

CREATE INDEX sync_queue_claim ON public.sync_queue USING btree (priority, run_at, job_id) WHERE ((lease IS NULL) AND (NOT is_parked));

CREATE INDEX sync_queue_forced ON public.sync_queue USING btree (priority, run_at, job_id) WHERE (is_forced AND (lease IS NULL) AND (NOT is_parked));

CREATE INDEX sync_queue_parked ON public.sync_queue USING btree (user_id, priority, run_at, job_id) WHERE is_parked;

CREATE INDEX sync_queue_parked_forced ON public.sync_queue USING btree (user_id, priority, run_at, job_id) WHERE (is_parked AND is_forced);

CREATE UNIQUE INDEX sync_queue_running ON public.sync_queue USING btree (user_id) WHERE (lease IS NOT NULL);

CREATE INDEX sync_queue_snoozed ON public.sync_queue USING btree (snoozed_since) WHERE (snoozed_since IS NOT NULL);

CREATE INDEX sync_queue_snoozed_user ON public.sync_queue USING btree (user_id) WHERE (snoozed_since IS NOT NULL);

CREATE INDEX sync_stopped_workers_with_leases ON public.sync_stopped_workers USING btree (stopped_at) WHERE (leases <> '{}'::bigint[]);

CREATE TRIGGER sync_credentials_bound BEFORE INSERT OR UPDATE OF google_oauth_token, notion_api_token ON public.credentials FOR EACH ROW WHEN (((octet_length(new.google_oauth_token) > 65536) OR (octet_length(new.notion_api_token) > 65536))) EXECUTE FUNCTION public.sync_credentials_bound();

CREATE TRIGGER sync_credentials_changed BEFORE UPDATE ON public.credentials FOR EACH ROW EXECUTE FUNCTION public.sync_credentials_changed();

CREATE TRIGGER sync_credentials_deleted AFTER DELETE ON public.credentials FOR EACH ROW WHEN (((old.binding IS NOT NULL) OR (old.binding_cleared_at IS NOT NULL))) EXECUTE FUNCTION public.sync_credentials_unbound();

CREATE TRIGGER sync_credentials_inserted BEFORE INSERT ON public.credentials FOR EACH ROW WHEN ((new.binding IS NULL)) EXECUTE FUNCTION public.sync_credentials_inserted();

CREATE TRIGGER sync_credentials_renamed AFTER UPDATE OF user_id ON public.credentials FOR EACH ROW WHEN ((((old.user_id)::text <> (new.user_id)::text) AND ((old.binding IS NOT NULL) OR (old.binding_cleared_at IS NOT NULL)))) EXECUTE FUNCTION public.sync_credentials_unbound();

CREATE TRIGGER sync_credentials_replaced AFTER UPDATE OF google_oauth_token, notion_api_token, notion_database_id ON public.credentials FOR EACH ROW WHEN ((((old.google_oauth_token IS DISTINCT FROM new.google_oauth_token) OR (old.notion_api_token IS DISTINCT FROM new.notion_api_token)) OR ((old.notion_database_id)::text IS DISTINCT FROM (new.notion_database_id)::text))) EXECUTE FUNCTION public.sync_credentials_replaced();

CREATE TRIGGER sync_credentials_stored AFTER INSERT ON public.credentials FOR EACH ROW EXECUTE FUNCTION public.sync_credentials_replaced();

CREATE TRIGGER sync_credentials_truncated BEFORE TRUNCATE ON public.credentials FOR EACH STATEMENT EXECUTE FUNCTION public.sync_credentials_truncated();

CREATE TRIGGER sync_gates_bounded BEFORE INSERT OR UPDATE ON public.sync_gates FOR EACH ROW WHEN ((NOT ((GREATEST(new.closed_at, new.closed_until, new.slowed_at, new.next_at, new.minute, new.failing_since, new.failed_at, new.succeeded_at, new.opened_at, new.broken_since, new.recovered_at, new.probe_at, new.probe_until, new.used_at) <= to_timestamp(('221845392000'::bigint)::double precision)) AND (LEAST(new.closed_at, new.closed_until, new.slowed_at, new.next_at, new.minute, new.failing_since, new.failed_at, new.succeeded_at, new.opened_at, new.broken_since, new.recovered_at, new.probe_at, new.probe_until, new.used_at) >= to_timestamp(('-30610224000'::bigint)::double precision)) AND COALESCE((GREATEST(abs(new.rate), abs(new.slowed_rate), abs(new.cooldown)) < ('1000000000'::numeric)::double precision), true) AND ((new.opened_at IS NULL) OR (new.probe_at IS NOT NULL))))) EXECUTE FUNCTION public.sync_gates_bound();

CREATE TRIGGER sync_gates_closed AFTER UPDATE OF closed_until ON public.sync_gates FOR EACH ROW WHEN (((new.closed_until > clock_timestamp()) AND (new.closed_until IS DISTINCT FROM old.closed_until))) EXECUTE FUNCTION public.sync_gates_closed();

CREATE TRIGGER sync_gates_made_closed AFTER INSERT ON public.sync_gates FOR EACH ROW WHEN ((new.closed_until > clock_timestamp())) EXECUTE FUNCTION public.sync_gates_closed();

CREATE TRIGGER sync_gates_named BEFORE UPDATE OF closed_at, closed_until, reason, closed_by ON public.sync_gates FOR EACH ROW WHEN (((new.closed_until > clock_timestamp()) OR ((new.reason IS DISTINCT FROM old.reason) OR (new.closed_by IS DISTINCT FROM old.closed_by)))) EXECUTE FUNCTION public.sync_gates_name();

CREATE TRIGGER sync_gates_named_first BEFORE INSERT ON public.sync_gates FOR EACH ROW WHEN ((new.closed_by IS NOT NULL)) EXECUTE FUNCTION public.sync_gates_name();

CREATE TRIGGER sync_intent_ended BEFORE DELETE ON public.sync_intents FOR EACH ROW WHEN (((old.unknown_at IS NULL) AND (old.created_at < (clock_timestamp() - '00:00:01'::interval)))) EXECUTE FUNCTION public.sync_intent_unknown();

CREATE TRIGGER sync_intent_replaced AFTER UPDATE OF request ON public.sync_intents FOR EACH ROW WHEN (((new.request <> old.request) AND (new.open_until IS NOT NULL))) EXECUTE FUNCTION public.sync_intent_replaced();

CREATE TRIGGER sync_intent_unknown BEFORE UPDATE OF unknown_at, request ON public.sync_intents FOR EACH ROW WHEN (((old.unknown_at IS NULL) AND ((new.unknown_at IS NOT NULL) OR (new.request <> old.request)))) EXECUTE FUNCTION public.sync_intent_unknown();

CREATE TRIGGER sync_jobs_admit BEFORE INSERT ON public.sync_jobs FOR EACH ROW WHEN ((((new.status)::text <> 'queued'::text) OR (new.lease IS NOT NULL))) EXECUTE FUNCTION public.sync_jobs_admit();

CREATE TRIGGER sync_jobs_changed BEFORE UPDATE ON public.sync_jobs FOR EACH ROW WHEN (((NOT (new.lease IS DISTINCT FROM old.lease)) AND (new.last_write = old.last_write))) EXECUTE FUNCTION public.sync_jobs_changed();

CREATE TRIGGER sync_jobs_deleted AFTER DELETE ON public.sync_jobs FOR EACH ROW WHEN ((((old.status)::text = 'queued'::text) OR (old.lease IS NOT NULL))) EXECUTE FUNCTION public.sync_jobs_deleted();

CREATE TRIGGER sync_jobs_inserted AFTER INSERT ON public.sync_jobs REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION public.sync_jobs_inserted();

CREATE TRIGGER sync_jobs_inserting BEFORE INSERT ON public.sync_jobs FOR EACH ROW EXECUTE FUNCTION public.sync_jobs_changed();

CREATE TRIGGER sync_jobs_kept BEFORE UPDATE OF created_at, completed_at ON public.sync_jobs FOR EACH ROW WHEN (((new.created_at IS DISTINCT FROM old.created_at) OR ((new.completed_at IS DISTINCT FROM old.completed_at) AND (new.completed_at < COALESCE(old.completed_at, (timezone('utc'::text, now()) - '1 day'::interval)))))) EXECUTE FUNCTION public.sync_jobs_kept();

CREATE TRIGGER sync_jobs_truncated AFTER TRUNCATE ON public.sync_jobs FOR EACH STATEMENT EXECUTE FUNCTION public.sync_jobs_truncated();

CREATE TRIGGER sync_logs_bound BEFORE INSERT OR UPDATE OF message ON public.sync_logs FOR EACH ROW WHEN ((octet_length(new.message) > 16384)) EXECUTE FUNCTION public.sync_logs_bound();

CREATE TRIGGER sync_pauses_deleted AFTER DELETE ON public.sync_pauses FOR EACH ROW EXECUTE FUNCTION public.sync_pauses_deleted();

CREATE TRIGGER sync_pauses_named BEFORE INSERT OR UPDATE ON public.sync_pauses FOR EACH ROW EXECUTE FUNCTION public.sync_pauses_name();

CREATE TRIGGER sync_pauses_over AFTER DELETE ON public.sync_pauses REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION public.sync_pauses_over();

CREATE TRIGGER sync_pauses_set AFTER INSERT ON public.sync_pauses FOR EACH ROW EXECUTE FUNCTION public.sync_pauses_set();

CREATE TRIGGER sync_pauses_timed AFTER INSERT OR UPDATE OF paused_until ON public.sync_pauses FOR EACH ROW WHEN ((new.paused_until IS NOT NULL)) EXECUTE FUNCTION public.sync_pauses_timed();

CREATE TRIGGER sync_state_deleted AFTER DELETE ON public.sync_state REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION public.sync_state_deleted();

CREATE TRIGGER sync_state_truncated AFTER TRUNCATE ON public.sync_state FOR EACH STATEMENT EXECUTE FUNCTION public.sync_state_truncated();

ALTER TABLE ONLY public.sync_alert_deliveries
    ADD CONSTRAINT sync_alert_deliveries_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.sync_alert_notices(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sync_alert_notices
    ADD CONSTRAINT sync_alert_notices_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES public.sync_alerts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sync_logs
    ADD CONSTRAINT sync_logs_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.sync_jobs(job_id);

