/// The table that keeps every change of the tables of a sync, and the triggers that fill it: in the transaction that
/// makes the change, so that what is rolled back leaves nothing.
enum HistoryTriggers {
    static let script = """
        CREATE TABLE chaos_history (
            number bigserial PRIMARY KEY,
            at timestamptz NOT NULL DEFAULT clock_timestamp(),
            transaction bigint NOT NULL DEFAULT txid_current(),
            by text NOT NULL DEFAULT current_setting('application_name'),
            table_name text NOT NULL,
            operation text NOT NULL,
            old jsonb,
            new jsonb,
            held jsonb
        );

        CREATE FUNCTION chaos_microseconds(moment text) RETURNS bigint LANGUAGE sql STABLE AS $$
            SELECT (extract(epoch FROM moment::timestamptz) * 1000000)::bigint
        $$;

        -- The columns that the checker reads, by its names for them.
        CREATE FUNCTION chaos_row(r jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
            SELECT jsonb_strip_nulls(jsonb_build_object(
                'job', r->'job_id', 'user', r->'user_id', 'status', r->'status', 'lease', r->'lease',
                'worker', r->'worker',
                'crashes', r->'crashes', 'rescuedLease', r->'rescued_lease', 'isFullSync', r->'full_sync', 'note', r->'keep_note_id',
                'page', r->'notion_page_id', 'operation', r->'operation', 'key', r->'idempotency_key',
                'unknownCount', r->'unknown_count', 'unknownAt', chaos_microseconds(r->>'unknown_at'),
                'request', r->'request', 'openUntil', chaos_microseconds(r->>'open_until'),
                'database', r->'notion_database_id', 'code', r->'code', 'hash', r->'content_hash'))
        $$;

        -- When each lease runs out, as the queue last said.
        CREATE TABLE chaos_leases (lease bigint PRIMARY KEY, expires_at timestamptz NOT NULL, is_renewed boolean NOT NULL);

        -- Workers whose claims take long.
        CREATE TABLE chaos_slow_claims (worker text PRIMARY KEY);

        CREATE FUNCTION chaos_remember_lease() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO chaos_leases VALUES (NEW.lease, NEW.lease_expires_at, NEW.is_renewed)
            ON CONFLICT (lease) DO UPDATE SET expires_at = excluded.expires_at, is_renewed = excluded.is_renewed;
            IF OLD.lease IS NULL
                AND EXISTS (SELECT FROM chaos_slow_claims WHERE worker = current_setting('application_name'))
            THEN
                PERFORM pg_sleep(0.3);
            END IF;
            RETURN NULL;
        END
        $$;

        -- Jobs whose end is refused, as by a constraint of somebody else's. It is told to the server's log, as nothing else of it
        -- remains.
        CREATE TABLE chaos_refused (job_id uuid PRIMARY KEY);

        CREATE FUNCTION chaos_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT FROM chaos_refused WHERE job_id = NEW.job_id) THEN
                RAISE EXCEPTION 'chaos refuses % % %', OLD.lease, current_setting('application_name'),
                    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END
        $$;

        CREATE TRIGGER zz_chaos_refuse BEFORE UPDATE ON sync_jobs
            FOR EACH ROW WHEN (
                OLD.status = 'running' AND NEW.status <> 'running' AND OLD.lease IS NOT NULL
                AND NEW.rescued_lease IS NOT DISTINCT FROM OLD.rescued_lease
                AND current_setting('application_name') <> 'test')
            EXECUTE FUNCTION chaos_refuse();

        CREATE TRIGGER zz_chaos AFTER INSERT OR UPDATE ON sync_queue
            FOR EACH ROW WHEN (NEW.lease IS NOT NULL) EXECUTE FUNCTION chaos_remember_lease();

        CREATE FUNCTION chaos_remember() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN chaos_row(to_jsonb(OLD)) END;
            new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN chaos_row(to_jsonb(NEW)) END;
            holder jsonb;
        BEGIN
            IF TG_TABLE_NAME = 'sync_jobs' AND TG_OP <> 'INSERT' AND old_row ? 'lease' THEN
                old_row := old_row || (
                    SELECT coalesce((jsonb_agg(jsonb_build_object(
                        'leaseExpiresAt', (extract(epoch FROM expires_at) * 1000000)::bigint, 'isRenewed', is_renewed)))[0], '{}')
                    FROM chaos_leases WHERE lease = OLD.lease);
            END IF;
            IF TG_TABLE_NAME = 'sync_logs' THEN
                SELECT chaos_row(to_jsonb(j)) INTO holder FROM sync_jobs AS j
                WHERE j.job_id = (coalesce(new_row, old_row)->>'job')::uuid AND j.status = 'running';
            ELSIF TG_TABLE_NAME <> 'sync_jobs' THEN
                SELECT chaos_row(to_jsonb(j)) INTO holder FROM sync_jobs AS j
                WHERE j.user_id = coalesce(new_row, old_row)->>'user' AND j.status = 'running';
            END IF;
            INSERT INTO chaos_history (table_name, operation, old, new, held)
            VALUES (TG_TABLE_NAME, TG_OP, old_row, new_row, holder);
            RETURN NULL;
        END
        $$;

        CREATE TRIGGER zz_chaos AFTER INSERT OR UPDATE OR DELETE ON sync_jobs
            FOR EACH ROW EXECUTE FUNCTION chaos_remember();
        CREATE TRIGGER zz_chaos AFTER INSERT OR UPDATE OR DELETE ON sync_state
            FOR EACH ROW EXECUTE FUNCTION chaos_remember();
        CREATE TRIGGER zz_chaos AFTER INSERT OR UPDATE OR DELETE ON sync_logs
            FOR EACH ROW EXECUTE FUNCTION chaos_remember();
        CREATE TRIGGER zz_chaos AFTER INSERT OR UPDATE OR DELETE ON sync_intents
            FOR EACH ROW EXECUTE FUNCTION chaos_remember();
        CREATE TRIGGER zz_chaos AFTER INSERT OR UPDATE OR DELETE ON sync_failed_notes
            FOR EACH ROW EXECUTE FUNCTION chaos_remember();
        CREATE TRIGGER zz_chaos AFTER INSERT OR UPDATE OR DELETE ON sync_surplus_pages
            FOR EACH ROW EXECUTE FUNCTION chaos_remember();
        CREATE TRIGGER zz_chaos AFTER INSERT OR UPDATE OR DELETE ON sync_unheard_requests
            FOR EACH ROW EXECUTE FUNCTION chaos_remember();
        CREATE TRIGGER zz_chaos AFTER INSERT OR UPDATE OR DELETE ON sync_cursors
            FOR EACH ROW EXECUTE FUNCTION chaos_remember();
        """
}
