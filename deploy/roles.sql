-- The roles of the database: the owner of the tables, each program, and each outside caller, each with what it needs.
--
--   owner      owns the tables and cannot log in; who runs `syncctl migrate` is a member of it
--   gateway    inserts jobs, marks its own as failed, reads their status
--   admin      the admin interface: lists, edits jobs and credentials
--   worker     sync-worker
--   sidecar    sync-sidecar: reads only
--   intake     sync-intake: inserts and cancels jobs
--   operator   people, with psql and syncctl
--
-- Run it with psql in the service's database, as a superuser or as a role that has CREATEROLE and owns the database. Run it
-- again after every `syncctl migrate`. It is one transaction: it succeeds, or it says why not and changes nothing.
--
--   psql -X "$ADMIN_URL" -v prepare=yes -f deploy/roles.sql     the roles, and the rights on tables that are there already
--   PGOPTIONS='-c role=sync_owner' DATABASE_URL="$ADMIN_URL" syncctl migrate
--   psql -X "$ADMIN_URL" -f deploy/roles.sql                    every right, each verified afterwards
--   psql -X "$ADMIN_URL" -c '\password sync_worker'             and so on; the file sets no passwords
--
-- Variables (-v NAME=VALUE):
--
--   owner, gateway, admin, worker, sidecar, intake, operator
--                      the names of the roles; sync_owner, sync_gateway and so on by default. A role that exists is used, and
--                      loses what it does not need. This service's tables that it owns are given to the owner. gateway,
--                      admin, worker and operator may be one role, which then has the rights of all of them.
--   schema=public      the schema of the tables
--   prepare=yes        accepts that tables and columns are missing
--   check=yes          changes nothing and reports what is not as it should be
--   revoke_public=yes  revokes CONNECT and TEMP on the database from PUBLIC. Every run lists who would lose them.
--   public_create=keep accepts that PUBLIC may create objects in the schema, which is unsafe: a function or operator created
--                      there by a stranger can run with the owner's rights.
--
-- From PostgreSQL 15 on, the schema public belongs to the owner of the database and nobody else may create tables in it. Run
-- this file as the owner of the database or as a superuser, and it lets the owner of the tables create them. Up to version 14
-- the schema belongs to a superuser and everybody may create objects in it. If you are not a superuser there, have one run
-- this after the first step, which says so too:
--
--   REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA public TO sync_owner;
--
-- Tables of other applications in the same schema are left alone, those of the admin interface itself for example. But the
-- roles of this file cannot create objects in it: give such an application a schema of its own.

\set ON_ERROR_STOP on
\set VERBOSITY terse
\set QUIET on
\pset tuples_only on
\pset format unaligned

\if :{?owner}         \else \set owner sync_owner       \endif
\if :{?gateway}       \else \set gateway sync_gateway   \endif
\if :{?admin}         \else \set admin sync_admin       \endif
\if :{?worker}        \else \set worker sync_worker     \endif
\if :{?sidecar}       \else \set sidecar sync_sidecar   \endif
\if :{?intake}        \else \set intake sync_intake     \endif
\if :{?operator}      \else \set operator sync_operator \endif
\if :{?schema}        \else \set schema public          \endif
\if :{?prepare}       \else \set prepare no             \endif
\if :{?check}         \else \set check no               \endif
\if :{?revoke_public} \else \set revoke_public no       \endif
\if :{?public_create} \else \set public_create revoke   \endif

BEGIN;

-- No name below can resolve to an object that a stranger created.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL lock_timeout = '5s';

-- A DO block cannot read psql's variables.
SELECT set_config('sync.names', jsonb_build_object(
           'owner', :'owner', 'gateway', :'gateway', 'admin', :'admin', 'worker', :'worker', 'sidecar', :'sidecar',
           'intake', :'intake', 'operator', :'operator')::text, true) AS names,
       set_config('sync.schema', :'schema', true) AS schema_name,
       set_config('sync.prepare', :'prepare', true) AS is_preparing,
       set_config('sync.check', :'check', true) AS is_checking,
       set_config('sync.revoke_public', :'revoke_public', true) AS revokes_public,
       set_config('sync.public_create', :'public_create', true) AS keeps_create
\gset set_
-- Of two runs at once one may fail at a row of the catalogs that both change ("tuple concurrently updated"); it can be run again.
-- An advisory lock would keep them apart, and could be held by whoever may connect.

-- The rights: ROLES OBJECT PRIVILEGE (COLUMNS) …; without columns, the whole table. What is not listed is refused.
--
-- - A name followed by ? may be missing.
-- - USAGE is on a sequence, EXECUTE on a function. INSERT includes USAGE on the sequences of the table's serial columns.
-- - SELECT … FOR UPDATE needs UPDATE on a column. Where nothing is updated, that is an identity column, which cannot be.
-- - Only the worker writes sync_jobs.lease: the triggers recognise it by that column.
-- - Operators read whole tables, so that SELECT * works for them, except for the tokens in credentials.
SELECT set_config('sync.list', $list$

    gateway sync_jobs
        SELECT (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, error_message, created_at,
            completed_at)
        INSERT (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, error_message, completed_at)
        UPDATE (status, error_message, completed_at);

    -- Django writes every column of a row, the key apart, when it saves one.
    admin sync_jobs
        SELECT (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, error_message, created_at,
            completed_at)
        UPDATE (user_id, status, full_sync, total_notes, processed_notes, failed_notes, error_message, created_at,
            completed_at);
    admin sync_logs
        SELECT (id, job_id, keep_note_id, level, message, created_at);
    admin sync_state
        SELECT (id, user_id, keep_note_id, notion_page_id, last_synced_at, keep_modified_at);
    admin credentials
        SELECT (user_id, google_oauth_token, notion_api_token, notion_database_id, updated_at)
        INSERT (user_id, google_oauth_token, notion_api_token, notion_database_id, updated_at)
        UPDATE (google_oauth_token, notion_api_token, notion_database_id, updated_at)
        DELETE;

    sidecar, intake sync_jobs
        SELECT (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, error_message, created_at,
            completed_at, priority, run_at, attempt, max_attempts, crashes, snoozes, worker, started_at, last_error,
            last_error_at, failed_at);
    sidecar, intake sync_queue
        SELECT;
    sidecar, intake sync_pauses
        SELECT (scope, key, reason, paused_by, paused_at, paused_until);
    sidecar, intake sync_throughput
        SELECT;
    sidecar, intake sync_logs
        SELECT (id, job_id, keep_note_id, level, message, created_at);
    sidecar, intake sync_workers
        SELECT (instance, worker, started_at, last_seen_at, slots, running, version, listening, claims_held_since,
            claims_failing_since, present_until);
    sidecar, intake sync_stopped_workers
        SELECT (worker, stopped_at);
    sidecar, intake sync_unknown_writes
        SELECT (operation);
    sidecar, intake sync_alerts
        SELECT (kind, first_at, resolved_at);
    sidecar, intake sync_peer_health
        SELECT (peer, down_since, reason, checked_at);
    sidecar, intake sync_metrics
        SELECT;
    sidecar, intake sync_uncounted_outcomes
        SELECT;
    sidecar, intake, worker, operator sync_gate_closed_for
        EXECUTE;
    sidecar, intake, worker, operator sync_gate_pace
        EXECUTE;
    sidecar, intake sync_gates
        SELECT;
    sidecar, intake sync_schema_migrations
        SELECT;

    intake sync_jobs
        INSERT (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, error_message, completed_at)
        UPDATE (status, error_message, completed_at);
    intake sync_logs
        INSERT (job_id, level, message);

    worker sync_jobs
        SELECT
        UPDATE (status, lease, last_write, rescued_lease, worker, attempt, started_at, run_at, completed_at, failed_at, error_message,
            last_error, last_error_at,
            crashes, snoozes, total_notes, processed_notes, failed_notes)
        DELETE;
    worker sync_queue
        SELECT INSERT UPDATE DELETE;
    -- It locks a pause whose user's jobs it parks, and deletes those whose time is over.
    worker sync_pauses
        SELECT UPDATE (id) DELETE;
    worker sync_throughput
        SELECT
        INSERT (minute, worker, completed, failed)
        UPDATE (completed, failed)
        DELETE;
    worker sync_lease_seq
        USAGE;
    worker sync_lease_is_lost
        EXECUTE;
    worker sync_state_is_lost
        EXECUTE;
    worker sync_jobs_refused
        EXECUTE;
    worker sync_record_surplus_pages
        EXECUTE;
    worker sync_try_log
        EXECUTE;
    worker sync_settle_earlier_requests
        EXECUTE;
    worker sync_queue_unpark
        EXECUTE;
    worker sync_queue_wake
        EXECUTE;
    worker sync_queue_repair
        EXECUTE;
    worker sync_workers
        SELECT
        INSERT (instance, worker, slots, running, wakeable, wakeable_seq, version, listening, first_lease, claims_held_since,
            claims_failing_since, present_until)
        UPDATE (last_seen_at, slots, running, wakeable, wakeable_seq, listening, first_lease, claims_held_since,
            claims_failing_since, present_until)
        DELETE;
    worker sync_stopped_workers
        SELECT INSERT (instance, worker, leases) UPDATE (stopped_at, leases) DELETE;
    worker sync_pruning
        SELECT UPDATE (instance, held_until);
    worker sync_logs
        SELECT (id, job_id)
        INSERT (job_id, keep_note_id, level, message)
        DELETE;
    worker sync_log_wait
        EXECUTE;
    worker credentials
        SELECT (user_id, google_oauth_token, notion_api_token, notion_database_id, updated_at, binding, binding_cleared_at);
    worker sync_state
        SELECT
        INSERT (user_id, keep_note_id, notion_page_id, last_synced_at, keep_modified_at, content_hash, hash_modified_at,
            untitled_number, notion_database_id)
        UPDATE (notion_page_id, last_synced_at, keep_modified_at, content_hash, hash_modified_at, untitled_number,
            notion_database_id);
    worker sync_takeovers
        SELECT;
    worker sync_cursors
        SELECT
        INSERT (user_id, keep_modified_at, version, notion_database_id)
        UPDATE (keep_modified_at, notion_database_id, updated_at);
    worker sync_failed_notes
        SELECT
        INSERT (user_id, keep_note_id, keep_modified_at, code, error, job_id, content_hash, notion_database_id)
        UPDATE (keep_modified_at, code, error, failures, job_id, last_failed_at, content_hash, notion_database_id)
        DELETE;
    worker sync_intents
        SELECT
        INSERT (user_id, keep_note_id, operation, notion_page_id, idempotency_key, content_hash, keep_modified_at, job_id,
            lease, request, notion_database_id, was_trial, open_until)
        UPDATE (operation, notion_page_id, idempotency_key, content_hash, keep_modified_at, job_id, lease, created_at,
            unknown_at, unknown_count, was_trial, was_outage, resolution, reason, request, notion_database_id, open_until)
        DELETE;
    worker sync_unheard_requests
        SELECT
        INSERT (user_id, keep_note_id, request, operation, notion_page_id, idempotency_key, content_hash, keep_modified_at,
            job_id, notion_database_id, sent_at, surplus_since)
        UPDATE (surplus_since)
        DELETE;
    worker sync_surplus_pages
        SELECT
        INSERT (user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key, job_id);
    worker sync_peer_successes
        SELECT
        INSERT (peer, succeeded_at)
        UPDATE (succeeded_at);
    worker sync_installation_keys
        SELECT
        INSERT (name, value);
    worker sync_unknown_outcomes
        SELECT DELETE;
    worker sync_metrics
        SELECT
        INSERT (name, labels, part, worker, value)
        UPDATE (value, updated_at)
        DELETE;
    worker sync_gates
        SELECT
        INSERT (gate)
        UPDATE (closed_at, closed_until, reason, closed_by, throttles, rate, burst, slowed_rate, slowed_at, next_at, schedules, minute, permits,
            permits_before, used_at, failures, failing, failing_since, failed_at, failing_by, unreached_by, succeeded_at, failed_by,
            opened_at, broken_since, opened_reason, opened_by, blamed, is_silent, openings, recovered_at, on_trial, cooldown, probe_at, probe_lease,
            probe_until)
        DELETE;
    worker sync_replaced_credentials
        SELECT DELETE;
    worker sync_workers_present
        EXECUTE;
    worker sync_gate_fail
        EXECUTE;
    worker sync_gate_succeed
        EXECUTE;
    worker sync_gate_locked
        EXECUTE;
    worker sync_gates_take
        EXECUTE;
    worker sync_gate_refuse
        EXECUTE;
    worker, operator sync_alert_cause
        EXECUTE;
    worker sync_alert_events
        SELECT INSERT (kind, job_id, user_id, error) UPDATE (id) DELETE;
    worker sync_alerts
        SELECT
        INSERT (key, kind, count, job_id, user_id, users, error, first_at, last_at)
        UPDATE (kind, count, job_id, user_id, users, error, last_at, notified_at, notified_count, resolved_at)
        DELETE;
    worker sync_alert_silences
        SELECT DELETE;
    worker sync_alert_notices
        SELECT
        INSERT (event, alert_id, channel, count, kinds, run_at)
        UPDATE (count, kinds, expanded_at)
        DELETE;
    worker sync_alert_deliveries
        SELECT
        INSERT (notice_id, channel)
        UPDATE (state, attempt, run_at, lease, lease_expires_at, worker, target, last_error, finished_at);
    worker sync_alert_channels
        SELECT
        INSERT (channel, target)
        UPDATE (target, known_since, seen_at, window_started_at, sent, sent_critical, disabled_at, disabled_reason);
    worker sync_alert_rounds
        SELECT UPDATE (run_at);
    worker sync_peer_health
        SELECT
        INSERT (peer, down_since, is_silent, reason, checked_at)
        UPDATE (down_since, is_silent, reason, checked_at);
    worker sync_schema_migrations
        SELECT;

    operator sync_jobs
        SELECT
        INSERT (job_id, user_id, status, full_sync, priority, run_at, traceparent, is_forced)
        UPDATE (status, error_message, last_error, priority, run_at, max_attempts)
        DELETE;
    operator sync_queue
        SELECT;
    operator sync_pauses
        SELECT
        INSERT (scope, key, reason, paused_by, paused_at, paused_until)
        UPDATE (reason, paused_by, paused_at, paused_until)
        DELETE;
    operator sync_ended_pauses
        SELECT;
    operator sync_replaced_credentials
        SELECT;
    operator sync_queue_disagreements
        EXECUTE;
    operator sync_throughput
        SELECT;
    operator sync_takeovers
        SELECT;
    operator sync_workers
        SELECT;
    operator sync_stopped_workers
        SELECT;
    operator sync_logs
        SELECT INSERT (job_id, level, message) DELETE;
    operator credentials
        SELECT (user_id, notion_database_id, updated_at, binding, binding_cleared_at)
        INSERT (user_id, google_oauth_token, notion_api_token, notion_database_id, updated_at, binding)
        UPDATE (google_oauth_token, notion_api_token, notion_database_id, updated_at, binding)
        DELETE;
    operator sync_state
        SELECT
        INSERT (user_id, keep_note_id, notion_page_id, last_synced_at, keep_modified_at, content_hash, hash_modified_at,
            notion_database_id)
        UPDATE (notion_page_id, last_synced_at, keep_modified_at, content_hash, hash_modified_at, notion_database_id)
        DELETE;
    operator sync_cursors
        SELECT
        INSERT (user_id, keep_modified_at, version)
        UPDATE (keep_modified_at, notion_database_id, version, updated_at);
    operator sync_failed_notes
        SELECT
        INSERT (user_id, keep_note_id, keep_modified_at, code, error, job_id)
        UPDATE (keep_modified_at, code, error, job_id, content_hash)
        DELETE;
    operator sync_intents
        SELECT UPDATE (resolution, unknown_at, unknown_count) DELETE;
    operator sync_unheard_requests
        SELECT
        INSERT (user_id, keep_note_id, request, operation, notion_page_id, idempotency_key, content_hash, keep_modified_at,
            job_id, notion_database_id, sent_at, surplus_since)
        UPDATE (request, notion_page_id, surplus_since)
        DELETE;
    operator sync_unknown_writes
        SELECT;
    operator sync_surplus_pages
        SELECT
        INSERT (user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key, job_id)
        DELETE;
    operator sync_peer_successes
        SELECT;
    -- Encrypted: that a key opens them proves that it is the workers'.
    operator sync_installation_keys
        SELECT;
    operator sync_metrics
        SELECT;
    operator sync_uncounted_outcomes
        SELECT;
    operator sync_gates
        SELECT
        INSERT (gate, closed_at, closed_until, reason, closed_by)
        UPDATE (closed_at, closed_until, reason, closed_by, throttles, slowed_rate, slowed_at, failures, failing,
            failing_by, unreached_by, opened_at, on_trial, openings, failed_by, broken_since, probe_at, probe_lease, probe_until);
    operator sync_alert_events
        SELECT;
    operator sync_alerts
        SELECT;
    operator sync_alert_silences
        SELECT INSERT (key, until) UPDATE (until, created_at);
    operator sync_alert_notices
        SELECT;
    operator sync_alert_deliveries
        SELECT UPDATE (state, finished_at);
    operator sync_alert_channels
        SELECT UPDATE (disabled_at, disabled_reason);
    operator sync_alert_rounds
        SELECT;
    operator sync_peer_health
        SELECT;
    operator sync_schema_migrations
        SELECT;

$list$, true) AS list \gset set_

-- Settings of a role's sessions.
SELECT set_config('sync.settings', $list$
    sidecar default_transaction_read_only on
    sidecar statement_timeout 3s
    intake  statement_timeout 3s
$list$, true) AS settings \gset set_

-- The list as rows: key (of a role), object, is_optional, privilege, column (null: all), is_optional_column.
DO $$
DECLARE
    unread text;
BEGIN
    SELECT entry INTO unread
    FROM regexp_split_to_table(regexp_replace(current_setting('sync.list'), '--[^\n]*', '', 'g'), ';') AS entry
    WHERE entry ~ '\S'
        AND entry !~ '^\s*(\w+,\s*)*\w+\s+\w+\??(\s+[A-Z]+(\s*\((\s*\w+\??\s*,)*\s*\w+\??\s*\))?)+\s*$'
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'This entry of the list of rights cannot be read: %', btrim(unread, E' \n');
    END IF;
    PERFORM set_config('sync.rights', (
        SELECT jsonb_agg(jsonb_build_object(
            'key', key, 'object', rtrim(part[2], '?'), 'is_optional', part[2] LIKE '%?', 'privilege', grant_part[1],
            'column', col[1], 'is_optional_column', coalesce(col[2] = '?', false)))
        FROM regexp_split_to_table(regexp_replace(current_setting('sync.list'), '--[^\n]*', '', 'g'), ';') AS entry
        CROSS JOIN LATERAL regexp_match(entry, '^\s*((?:\w+,\s*)*\w+)\s+(\w+\??)\s+(.*)$') AS part
        CROSS JOIN LATERAL regexp_split_to_table(part[1], '\s*,\s*') AS key
        CROSS JOIN LATERAL regexp_matches(part[3], '([A-Z]+)(?:\s*\(([^)]*)\))?', 'g') AS grant_part
        LEFT JOIN LATERAL regexp_matches(grant_part[2], '(\w+)(\??)', 'g') AS col ON true
        WHERE part IS NOT NULL)::text, true);
END
$$;

-- Roles. Missing ones are created; no role may have rights beyond those that are granted and verified here.
DO $$
DECLARE
    names CONSTANT jsonb := current_setting('sync.names')::jsonb;
    owner CONSTANT text := names ->> 'owner';
    problems text[];
    missing text[];
    r record;
BEGIN
    SELECT array_agg(format('%s must be %s or %s, not "%s"', name, usual, other, current_setting('sync.' || name)))
    INTO problems
    FROM (VALUES ('prepare', 'no', 'yes'), ('check', 'no', 'yes'), ('revoke_public', 'no', 'yes'),
        ('public_create', 'revoke', 'keep')) AS v (name, usual, other)
    WHERE current_setting('sync.' || name) NOT IN (usual, other);
    IF problems IS NOT NULL THEN
        RAISE EXCEPTION '%', array_to_string(problems, E'\n');
    END IF;
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = current_setting('sync.schema')) THEN
        RAISE EXCEPTION 'There is no schema %: name the one that the tables are in with -v schema=NAME',
            current_setting('sync.schema');
    END IF;

    SELECT array_agg(format('%s is the role of %s: %s needs a role of its own', a.value, b.key, a.key)) INTO problems
    FROM jsonb_each_text(names) AS a JOIN jsonb_each_text(names) AS b ON b.value = a.value AND b.key <> a.key
    WHERE a.key IN ('owner', 'sidecar', 'intake');
    IF problems IS NOT NULL THEN
        RAISE EXCEPTION '%', array_to_string(problems, E'\n');
    END IF;

    SELECT array_agg(DISTINCT value ORDER BY value) INTO missing
    FROM jsonb_each_text(names) WHERE value NOT IN (SELECT rolname FROM pg_roles);
    IF missing IS NOT NULL AND current_setting('sync.check') = 'yes' THEN
        RAISE EXCEPTION 'There is no role %', array_to_string(missing, ', ');
    ELSIF missing IS NOT NULL
        AND NOT (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user)
    THEN
        RAISE EXCEPTION 'There is no role %, and % may not make roles: it needs CREATEROLE',
            array_to_string(missing, ', '), current_user;
    END IF;
    FOR r IN SELECT DISTINCT value AS name FROM jsonb_each_text(names) WHERE value = ANY (missing) LOOP
        EXECUTE format('CREATE ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE %s', r.name,
            CASE WHEN r.name = owner THEN 'NOLOGIN' ELSE 'LOGIN' END);
    END LOOP;

    SELECT array_agg(problem) INTO problems
    FROM (SELECT DISTINCT value AS name FROM jsonb_each_text(names)) AS n
    JOIN pg_roles AS p ON p.rolname = n.name
    CROSS JOIN LATERAL (
        SELECT format('%s has SUPERUSER, CREATEROLE or REPLICATION: nothing can be kept from it', n.name) AS problem
        WHERE p.rolsuper OR p.rolcreaterole OR p.rolreplication
        UNION ALL
        SELECT format('%s is the owner of the tables and may log in: ALTER ROLE %1$I NOLOGIN', n.name)
        WHERE n.name = owner AND p.rolcanlogin
        UNION ALL
        SELECT format('%s owns the database: have it given to another role (ALTER DATABASE %I OWNER TO …)', n.name, datname)
        FROM pg_database
        WHERE datname = current_database() AND n.name <> owner AND NOT p.rolsuper AND pg_has_role(p.oid, datdba, 'MEMBER')
        UNION ALL
        SELECT format('%s is a member of %s: REVOKE %2$I FROM %1$I', n.name, m.rolname)
        FROM pg_roles AS m
        WHERE NOT p.rolsuper AND m.oid <> p.oid AND pg_has_role(p.oid, m.oid, 'MEMBER')
            AND (m.rolsuper OR m.rolcreaterole OR m.rolreplication OR m.rolname = owner
                 OR m.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
    ) AS found;
    IF problems IS NOT NULL THEN
        RAISE EXCEPTION '%', array_to_string(problems, E'\n');
    END IF;
END
$$;

-- Other roles that have CONNECT or TEMP on the database through PUBLIC alone.
DO $$
DECLARE
    owner CONSTANT text := current_setting('sync.names')::jsonb ->> 'owner';
    losers text;
BEGIN
    SELECT string_agg(format('  %s: %s', rolname, lost), E'\n' ORDER BY rolname) INTO losers
    FROM (
        SELECT r.rolname, string_agg(p.privilege, ', ' ORDER BY p.privilege) AS lost
        FROM pg_database AS d
        CROSS JOIN pg_roles AS r
        CROSS JOIN (VALUES ('CONNECT'), ('TEMPORARY')) AS p (privilege)
        WHERE d.datname = current_database() AND r.rolcanlogin AND NOT r.rolsuper
            AND NOT pg_has_role(r.oid, d.datdba, 'USAGE')
            AND r.rolname NOT IN (SELECT value FROM jsonb_each_text(current_setting('sync.names')::jsonb))
            AND NOT (p.privilege = 'CONNECT' AND pg_has_role(r.oid, owner, 'USAGE'))
            AND EXISTS (
                SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
                WHERE a.grantee = 0 AND a.privilege_type = p.privilege)
            AND NOT EXISTS (
                SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
                WHERE a.grantee <> 0 AND a.privilege_type = p.privilege AND pg_has_role(r.oid, a.grantee, 'USAGE'))
        GROUP BY r.rolname
    ) AS l;
    PERFORM set_config('sync.losers', coalesce(losers, ''), true);
END
$$;

\if :check
\else

-- The current user acts for the owner, here and in `syncctl migrate`.
DO $$
DECLARE
    owner CONSTANT text := current_setting('sync.names')::jsonb ->> 'owner';
BEGIN
    IF NOT pg_has_role(current_user, owner, 'USAGE') THEN
        BEGIN
            EXECUTE format('GRANT %I TO %I', owner, current_user);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION '%', format('%s may not act for %s: have a superuser run GRANT %2$I TO %1$I', current_user, owner);
        END;
        IF NOT pg_has_role(current_user, owner, 'USAGE') THEN
            RAISE EXCEPTION '% has NOINHERIT: run this as a role that inherits the rights of the roles it is a member of',
                current_user;
        END IF;
    END IF;
END
$$;

-- Database and schema. What the current user cannot grant or revoke is reported by the verification.
DO $$
DECLARE
    schema_name CONSTANT text := current_setting('sync.schema');
    owner CONSTANT text := current_setting('sync.names')::jsonb ->> 'owner';
    names text;
BEGIN
    SELECT string_agg(DISTINCT format('%I', value), ', ') INTO names
    FROM jsonb_each_text(current_setting('sync.names')::jsonb);

    IF (SELECT pg_has_role(current_user, datdba, 'USAGE') FROM pg_database WHERE datname = current_database()) THEN
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM %s', current_database(), names);
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %s', current_database(), names);
        IF current_setting('sync.revoke_public') = 'yes' THEN
            EXECUTE format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
        END IF;
    END IF;
    IF (SELECT pg_has_role(current_user, nspowner, 'USAGE') FROM pg_namespace WHERE nspname = schema_name) THEN
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %s', schema_name, names);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', schema_name, names);
        EXECUTE format('GRANT CREATE ON SCHEMA %I TO %I', schema_name, owner);
        IF current_setting('sync.public_create') <> 'keep' THEN
            EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', schema_name);
        END IF;
    END IF;
    IF NOT has_schema_privilege(owner, schema_name, 'CREATE') THEN
        RAISE EXCEPTION '%', format(
            'Schema %s belongs to %s, for whom %s may not act: have its owner run GRANT CREATE ON SCHEMA %1$I TO %4$I',
            schema_name, (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = schema_name), current_user, owner);
    END IF;
END
$$;

-- Ownership of the objects in the list and of all others named sync_…, those of extensions apart. Functions are taken only from
-- the role that migrated the tables: otherwise any role could have a function of its own run as the owner.
DO $$
DECLARE
    schema_id CONSTANT oid := (SELECT oid FROM pg_namespace WHERE nspname = current_setting('sync.schema'));
    owner CONSTANT text := current_setting('sync.names')::jsonb ->> 'owner';
    listed CONSTANT text[] := ARRAY(
        SELECT DISTINCT object FROM jsonb_to_recordset(current_setting('sync.rights')::jsonb) AS r (object text));
    migrator CONSTANT oid := (
        SELECT relowner FROM pg_class WHERE relnamespace = schema_id AND relname = 'sync_schema_migrations');
    borrowed text[] := '{}';
    o record;
BEGIN
    FOR o IN
        SELECT c.oid::regclass::text AS name, 'TABLE' AS kind, pg_get_userbyid(c.relowner) AS held_by
        FROM pg_class AS c
        WHERE c.relnamespace = schema_id AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            AND (c.relname = ANY (listed) OR c.relname LIKE 'sync\_%' AND c.relowner = migrator)
            -- The sequence of a column follows its table.
            AND NOT EXISTS (
                SELECT FROM pg_depend
                WHERE classid = 'pg_class'::regclass AND objid = c.oid
                    AND (deptype = 'e' OR c.relkind = 'S' AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')))
            AND pg_get_userbyid(c.relowner) <> owner
        UNION ALL
        SELECT p.oid::regprocedure::text, 'ROUTINE', pg_get_userbyid(p.proowner)
        FROM pg_proc AS p
        WHERE p.pronamespace = schema_id AND p.proname LIKE 'sync\_%' AND p.proowner = migrator
            AND NOT EXISTS (
                SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
            AND pg_get_userbyid(p.proowner) <> owner
        ORDER BY 2 DESC, 1
    LOOP
        BEGIN
            IF NOT pg_has_role(current_user, o.held_by, 'USAGE') THEN
                EXECUTE format('GRANT %I TO %I', o.held_by, current_user);
                borrowed := borrowed || o.held_by::text;
            END IF;
            EXECUTE format('ALTER %s %s OWNER TO %I', o.kind, o.name, owner);
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION '%', format(
                    '%s belongs to %s, for whom %s may not act: run this as a superuser, or have one run GRANT %2$I TO %3$I',
                    o.name, o.held_by, current_user);
            WHEN lock_not_available THEN
                RAISE EXCEPTION '% is in use by a transaction that does not end: run this again', o.name;
        END;
    END LOOP;
    FOR o IN SELECT unnest(borrowed) AS name LOOP
        EXECUTE format('REVOKE %I FROM %I', o.name, current_user);
    END LOOP;
END
$$;

\endif

-- The list resolved: one grant per role, object, privilege and column (null: all).
DO $$
DECLARE
    schema_name CONSTANT text := current_setting('sync.schema');
    is_preparing CONSTANT boolean := current_setting('sync.prepare') = 'yes';
    names CONSTANT jsonb := current_setting('sync.names')::jsonb;
    grants jsonb;
    problems text[];
BEGIN
    IF NOT is_preparing AND to_regclass(format('%I.sync_schema_migrations', schema_name)) IS NULL THEN
        RAISE EXCEPTION 'There are no tables yet: run this with -v prepare=yes, then syncctl migrate as %, then this again',
            names ->> 'owner';
    END IF;
    WITH wanted AS (
        SELECT r.*, names ->> r.key AS role,
            CASE privilege WHEN 'EXECUTE' THEN 'function' WHEN 'USAGE' THEN 'sequence' ELSE 'table' END AS kind,
            CASE WHEN privilege <> 'EXECUTE' THEN to_regclass(format('%I.%I', schema_name, r.object))::oid END AS relation
        FROM jsonb_to_recordset(current_setting('sync.rights')::jsonb) AS r (
            key text, object text, is_optional boolean, privilege text, "column" text, is_optional_column boolean)
    ), found AS (
        SELECT w.*, coalesce(w.relation, p.oid) AS id, a.attname
        FROM wanted AS w
        LEFT JOIN pg_proc AS p ON w.kind = 'function' AND p.proname = w.object
            AND p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = schema_name)
        LEFT JOIN pg_attribute AS a ON a.attrelid = w.relation AND a.attname = w."column" AND a.attnum > 0
            AND NOT a.attisdropped
    ), given AS (
        SELECT role, kind, id, privilege, "column" FROM found
        WHERE id IS NOT NULL AND ("column" IS NULL OR attname IS NOT NULL)
        UNION
        SELECT f.role, 'sequence', d.refobjid, 'USAGE', NULL
        FROM found AS f
        JOIN pg_attrdef AS v ON v.adrelid = f.relation
        JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = v.oid AND d.refclassid = 'pg_class'::regclass
        JOIN pg_class AS s ON s.oid = d.refobjid AND s.relkind = 'S'
        WHERE f.privilege = 'INSERT'
    )
    SELECT (SELECT jsonb_agg(g) FROM given AS g),
        (SELECT array_agg(DISTINCT problem ORDER BY problem) FROM (
            SELECT format('The list of rights names %s, which is no role of this file', key) FROM found WHERE role IS NULL
            UNION ALL
            SELECT format('There is no %s %s', kind, object) FROM found
            WHERE id IS NULL AND NOT is_optional AND NOT is_preparing
            UNION ALL
            SELECT format('%s has no column %s', object, "column") FROM found
            WHERE id IS NOT NULL AND "column" IS NOT NULL AND attname IS NULL AND NOT is_optional_column AND NOT is_preparing
        ) AS p (problem))
    INTO grants, problems;
    IF problems IS NOT NULL THEN
        RAISE EXCEPTION '%', array_to_string(problems, E'\n');
    END IF;
    PERFORM set_config('sync.grants', coalesce(grants, '[]')::text, true);
END
$$;

\if :check
\else

-- Everything is revoked and granted anew. The transaction hides the moment in between.
DO $$
DECLARE
    schema_name CONSTANT text := current_setting('sync.schema');
    schema_id CONSTANT oid := (SELECT oid FROM pg_namespace WHERE nspname = schema_name);
    owner CONSTANT text := current_setting('sync.names')::jsonb ->> 'owner';
    names CONSTANT text := (
        SELECT string_agg(DISTINCT format('%I', value), ', ')
        FROM jsonb_each_text(current_setting('sync.names')::jsonb) WHERE key <> 'owner');
    o record;
BEGIN
    FOR o IN
        SELECT oid::regclass::text AS name, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind FROM pg_class
        WHERE relnamespace = schema_id AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND pg_get_userbyid(relowner) = owner
        UNION ALL
        SELECT oid::regprocedure::text, 'ROUTINE' FROM pg_proc
        WHERE pronamespace = schema_id AND pg_get_userbyid(proowner) = owner
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM PUBLIC, %s CASCADE', o.kind, o.name, names);
        EXECUTE format('GRANT ALL ON %s %s TO %I', o.kind, o.name, owner);
    END LOOP;
    FOR o IN
        SELECT g.role, g.privilege, g.kind, CASE g.kind WHEN 'function' THEN g.id::regprocedure::text
                                                     ELSE g.id::regclass::text END AS name,
            ' (' || string_agg(quote_ident(g."column"), ', ') || ')' AS columns
        FROM jsonb_to_recordset(current_setting('sync.grants')::jsonb) AS g (
            role text, kind text, id oid, privilege text, "column" text)
        GROUP BY g.role, g.privilege, g.kind, g.id, g."column" IS NULL
    LOOP
        EXECUTE format('GRANT %s%s ON %s %s TO %I', o.privilege, o.columns, o.kind, o.name, o.role);
    END LOOP;

    -- Functions that run as their owner must not find objects of their caller.
    FOR o IN
        SELECT oid::regprocedure AS name FROM pg_proc
        WHERE pronamespace = schema_id AND pg_get_userbyid(proowner) = owner AND prosecdef
            AND format('search_path=%I, pg_temp', schema_name) <> ALL (coalesce(proconfig, '{}'))
    LOOP
        EXECUTE format('ALTER ROUTINE %s SET search_path = %I, pg_temp', o.name, schema_name);
    END LOOP;
    -- The functions of a later migration cannot be called before this file has been run again.
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', owner);
END
$$;

-- Settings.
DO $$
DECLARE
    s record;
BEGIN
    FOR s IN
        SELECT p.oid AS role_id, p.rolname AS role, part[2] AS name, part[3] AS value
        FROM regexp_matches(current_setting('sync.settings'), '(\w+) +(\w+) +(\w+)', 'g') AS part
        JOIN pg_roles AS p ON p.rolname = current_setting('sync.names')::jsonb ->> part[1]
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_db_role_setting
            WHERE setdatabase = 0 AND setrole = s.role_id AND s.name || '=' || s.value = ANY (setconfig));
        BEGIN
            EXECUTE format('ALTER ROLE %I SET %I = %L', s.role, s.name, s.value);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION '%', format('%s may not change %s: have a superuser run ALTER ROLE %2$I SET %I = %L', current_user,
                s.role, s.name, s.value);
        END;
    END LOOP;
END
$$;

\endif

-- Verification: each role has what it needs and nothing else. REVOKE leaves what another role granted, with a warning at most,
-- and a right can come from another role or from PUBLIC.
DO $$
DECLARE
    schema_name CONSTANT text := current_setting('sync.schema');
    schema_id CONSTANT oid := (SELECT oid FROM pg_namespace WHERE nspname = schema_name);
    owner CONSTANT text := current_setting('sync.names')::jsonb ->> 'owner';
    keeps_create CONSTANT boolean := current_setting('sync.public_create') = 'keep';
    is_preparing CONSTANT boolean := current_setting('sync.prepare') = 'yes';
    listed CONSTANT text[] := ARRAY(
        SELECT DISTINCT object FROM jsonb_to_recordset(current_setting('sync.rights')::jsonb) AS r (object text));
    -- MAINTAIN came with version 17.
    table_privileges CONSTANT text[] := ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']
        || CASE WHEN current_setting('server_version_num')::int >= 170000 THEN ARRAY['MAINTAIN'] ELSE '{}' END;
    problems text[];
    checked int;
BEGIN
    WITH role AS (
        SELECT DISTINCT value AS name FROM jsonb_each_text(current_setting('sync.names')::jsonb) WHERE key <> 'owner'
    ), identity AS (
        -- The role and every role it is a member of, inherited or not.
        SELECT r.name, m.oid AS id, m.rolname AS known_as, m.rolname = r.name AS is_itself
        FROM role AS r JOIN pg_roles AS m ON pg_has_role(r.name, m.oid, 'MEMBER')
    ), given AS (
        SELECT g.*
        FROM jsonb_to_recordset(current_setting('sync.grants')::jsonb) AS g (
            role text, kind text, id oid, privilege text, "column" text)
    ), covered AS (
        SELECT oid AS id, CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, relname::text AS name,
            relowner AS held_by
        FROM pg_class
        WHERE relnamespace = schema_id AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            AND (relname = ANY (listed) OR relname LIKE 'sync\_%' OR pg_get_userbyid(relowner) = owner)
        UNION ALL
        SELECT oid, 'function', proname || '()', proowner FROM pg_proc
        WHERE pronamespace = schema_id AND (proname LIKE 'sync\_%' OR pg_get_userbyid(proowner) = owner)
    ), held AS (
        -- What each role has on these objects, and through which role.
        SELECT i.*, o.kind, o.id AS object, o.name AS object_name, p.privilege, a.attname::text AS "column"
        FROM identity AS i CROSS JOIN covered AS o
        JOIN pg_attribute AS a ON a.attrelid = o.id AND a.attnum > 0 AND NOT a.attisdropped
        CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('REFERENCES')) AS p (privilege)
        WHERE o.kind = 'table' AND has_column_privilege(i.id, o.id, a.attnum, p.privilege)
        UNION ALL
        SELECT i.*, o.kind, o.id, o.name, p.privilege, NULL
        FROM identity AS i CROSS JOIN covered AS o CROSS JOIN unnest(table_privileges) AS p (privilege)
        WHERE o.kind = 'table' AND has_table_privilege(i.id, o.id, p.privilege)
        UNION ALL
        SELECT i.*, o.kind, o.id, o.name, p.privilege, NULL
        FROM identity AS i CROSS JOIN covered AS o CROSS JOIN (VALUES ('USAGE'), ('SELECT'), ('UPDATE')) AS p (privilege)
        WHERE o.kind = 'sequence' AND has_sequence_privilege(i.id, o.id, p.privilege)
        UNION ALL
        SELECT i.*, o.kind, o.id, o.name, 'EXECUTE', NULL
        FROM identity AS i CROSS JOIN covered AS o
        WHERE o.kind = 'function' AND has_function_privilege(i.id, o.id, 'EXECUTE')
    ), problem AS (
        SELECT format('%s belongs to %s and not to %s', o.name, pg_get_userbyid(o.held_by), owner) AS line
        FROM covered AS o WHERE pg_get_userbyid(o.held_by) <> owner
        UNION ALL
        SELECT format('%s lacks %s%s on %s', g.role, g.privilege,
            ' (' || string_agg(g."column", ', ' ORDER BY g."column") || ')', o.name)
        FROM given AS g JOIN covered AS o ON o.id = g.id AND o.kind = g.kind
        WHERE NOT CASE
            WHEN g.kind = 'function' THEN has_function_privilege(g.role, g.id, g.privilege)
            WHEN g.kind = 'sequence' THEN has_sequence_privilege(g.role, g.id, g.privilege)
            WHEN g."column" IS NULL THEN has_table_privilege(g.role, g.id, g.privilege)
            ELSE has_column_privilege(g.role, g.id, g."column", g.privilege) END
        GROUP BY g.role, g.privilege, o.name, g."column" IS NULL
        UNION ALL
        SELECT format('%s must not have %s%s on %s', h.name, h.privilege,
                ' (' || string_agg(h."column", ', ' ORDER BY h."column") || ')', h.object_name)
            || CASE WHEN h.is_itself THEN '' ELSE format(' as a member of %s', h.known_as) END
        FROM (
            SELECT DISTINCT ON (name, kind, object, privilege, "column") * FROM held
            ORDER BY name, kind, object, privilege, "column", is_itself DESC, known_as
        ) AS h
        WHERE NOT EXISTS (
            SELECT FROM given AS g
            WHERE g.role = h.name AND g.kind = h.kind AND g.id = h.object AND g.privilege = h.privilege
                AND (g."column" IS NULL OR g."column" = h."column"))
        GROUP BY h.name, h.privilege, h.object_name, h.is_itself, h.known_as
        UNION ALL
        SELECT format('%s must not be able to grant %s on %s', i.name, string_agg(DISTINCT a.privilege_type, ', '), o.name)
        FROM covered AS o
        CROSS JOIN LATERAL (
            SELECT relacl AS acl FROM pg_class WHERE o.kind <> 'function' AND oid = o.id
            UNION ALL
            SELECT attacl FROM pg_attribute WHERE o.kind = 'table' AND attrelid = o.id
            UNION ALL
            SELECT proacl FROM pg_proc WHERE o.kind = 'function' AND oid = o.id
        ) AS l
        CROSS JOIN LATERAL aclexplode(l.acl) AS a
        JOIN identity AS i ON i.id = a.grantee
        WHERE a.is_grantable
        GROUP BY i.name, o.name
        UNION ALL
        SELECT format('%s lacks CONNECT on the database: have its owner run GRANT CONNECT ON DATABASE %I TO %I', r.name,
            current_database(), r.name)
        FROM role AS r WHERE NOT has_database_privilege(r.name, current_database(), 'CONNECT')
        UNION ALL
        SELECT format('PUBLIC still has %s on the database: have its owner run REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM '
            'PUBLIC', string_agg(p.privilege, ', '), current_database())
        FROM (VALUES ('CONNECT'), ('TEMPORARY')) AS p (privilege)
        WHERE current_setting('sync.revoke_public') = 'yes'
            AND has_database_privilege('public', current_database(), p.privilege)
        HAVING count(*) > 0
        UNION ALL
        SELECT format('%s must not have %s on the database%s', i.name, p.privilege,
            CASE WHEN i.is_itself THEN '' ELSE format(' as a member of %s', i.known_as) END)
        FROM identity AS i CROSS JOIN (VALUES ('CREATE'), ('TEMPORARY')) AS p (privilege)
        WHERE has_database_privilege(i.id, current_database(), p.privilege)
            AND NOT has_database_privilege('public', current_database(), p.privilege)
        UNION ALL
        SELECT format('%s lacks USAGE on schema %s: have its owner run GRANT USAGE ON SCHEMA %2$I TO %1$I', r.name, schema_name)
        FROM role AS r WHERE NOT has_schema_privilege(r.name, schema_id, 'USAGE')
        UNION ALL
        SELECT format('Everybody may create objects in schema %s: have %s run REVOKE CREATE ON SCHEMA %1$I FROM PUBLIC, or '
            'accept it with -v public_create=keep', schema_name, pg_get_userbyid(nspowner))
        FROM pg_namespace
        WHERE oid = schema_id AND has_schema_privilege('public', schema_id, 'CREATE') AND NOT keeps_create AND NOT is_preparing
        UNION ALL
        SELECT format('%s must not have CREATE on schema %s%s', i.name, schema_name,
            CASE WHEN i.is_itself THEN '' ELSE format(' as a member of %s', i.known_as) END)
        FROM identity AS i
        WHERE has_schema_privilege(i.id, schema_id, 'CREATE') AND NOT has_schema_privilege('public', schema_id, 'CREATE')
        UNION ALL
        -- PostgreSQL prefers the better match for the arguments, wherever it is in the search path.
        SELECT format('%s owns %s, which can be run in place of the server''s own: drop it', i.name, x.what)
        FROM identity AS i
        JOIN (
            SELECT p.oid::regprocedure::text AS what, p.proowner AS made_by FROM pg_proc AS p
            WHERE p.pronamespace = schema_id AND EXISTS (
                SELECT FROM pg_proc AS s WHERE s.pronamespace = 'pg_catalog'::regnamespace AND s.proname = p.proname)
            UNION ALL
            SELECT oid::regoperator::text, oprowner FROM pg_operator WHERE oprnamespace = schema_id
        ) AS x ON x.made_by = i.id
        WHERE i.is_itself
        UNION ALL
        SELECT format('%s runs as its owner without search_path = %I, pg_temp', p.oid::regprocedure, schema_name)
        FROM covered AS o JOIN pg_proc AS p ON o.kind = 'function' AND p.oid = o.id
        WHERE p.prosecdef AND format('search_path=%I, pg_temp', schema_name) <> ALL (coalesce(p.proconfig, '{}'))
        UNION ALL
        SELECT format('Trigger %s on %s runs a function of %s: drop it', t.tgname, o.name, pg_get_userbyid(p.proowner))
        FROM covered AS o
        JOIN pg_trigger AS t ON t.tgrelid = o.id AND o.kind = 'table' AND NOT t.tgisinternal
        JOIN pg_proc AS p ON p.oid = t.tgfoid
        WHERE pg_get_userbyid(p.proowner) <> owner
        UNION ALL
        SELECT format('%s does not have %s = %s', p.rolname, part[2], part[3])
        FROM regexp_matches(current_setting('sync.settings'), '(\w+) +(\w+) +(\w+)', 'g') AS part
        JOIN pg_roles AS p ON p.rolname = current_setting('sync.names')::jsonb ->> part[1]
        WHERE NOT EXISTS (
            SELECT FROM pg_db_role_setting
            WHERE setdatabase = 0 AND setrole = p.oid AND part[2] || '=' || part[3] = ANY (setconfig))
    )
    SELECT (SELECT array_agg(DISTINCT line ORDER BY line) FROM problem), (SELECT count(*) FROM given)
    INTO problems, checked;
    IF problems IS NOT NULL THEN
        RAISE EXCEPTION '%', array_to_string(problems, E'\n');
    END IF;
    PERFORM set_config('sync.checked', checked::text, true);
END
$$;

-- The report.
WITH name AS (
    SELECT value AS name FROM jsonb_each_text(current_setting('sync.names')::jsonb)
), other AS (
    SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END AS grantee, c.relname::text AS object,
        string_agg(DISTINCT a.privilege_type, ', ' ORDER BY a.privilege_type) AS privileges
    FROM pg_class AS c
    CROSS JOIN LATERAL (
        SELECT c.relacl AS acl UNION ALL SELECT attacl FROM pg_attribute WHERE attrelid = c.oid
    ) AS l
    CROSS JOIN LATERAL aclexplode(l.acl) AS a
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_setting('sync.schema'))
        AND pg_get_userbyid(c.relowner) = current_setting('sync.names')::jsonb ->> 'owner'
        AND pg_get_userbyid(a.grantee) NOT IN (SELECT name FROM name)
    GROUP BY 1, 2
)
SELECT format('%s rights of %s roles %sverified.', current_setting('sync.checked'),
    (SELECT count(DISTINCT name) - 1 FROM name),
    CASE current_setting('sync.check') WHEN 'yes' THEN '' ELSE 'granted and ' END)
UNION ALL
SELECT format(
    'Everybody may create objects in schema %s: before the next step, have %s run'
        || ' REVOKE CREATE ON SCHEMA %1$I FROM PUBLIC; GRANT CREATE ON SCHEMA %1$I TO %3$I',
    nspname, pg_get_userbyid(nspowner), current_setting('sync.names')::jsonb ->> 'owner')
FROM pg_namespace
WHERE nspname = current_setting('sync.schema') AND current_setting('sync.prepare') = 'yes'
    AND current_setting('sync.public_create') <> 'keep' AND has_schema_privilege('public', oid, 'CREATE')
UNION ALL
SELECT format('Members of %s: %s', o.name, string_agg(m.rolname, ', ' ORDER BY m.rolname))
FROM (SELECT current_setting('sync.names')::jsonb ->> 'owner' AS name) AS o
JOIN pg_roles AS m ON pg_has_role(m.oid, o.name, 'MEMBER') AND m.rolname <> o.name AND NOT m.rolsuper
GROUP BY o.name
UNION ALL
SELECT E'Other roles with rights on these tables, left alone:\n'
    || string_agg(format('  %s: %s on %s', grantee, privileges, object), E'\n' ORDER BY grantee, object)
FROM other HAVING count(*) > 0
UNION ALL
SELECT CASE current_setting('sync.revoke_public')
    WHEN 'yes' THEN 'Taken from PUBLIC with CONNECT and TEMP on the database, and so from:'
    ELSE 'With -v revoke_public=yes these would lose, on the database:' END || E'\n' || current_setting('sync.losers')
WHERE current_setting('sync.losers') <> '';

COMMIT;
