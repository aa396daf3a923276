-- The intake's role: it inserts jobs, changes their status and message, adds log lines, reads what it shows, and can do
-- nothing else. Run as the owner of the tables, in the service's database, after `syncctl migrate`; then give it a password:
--
--   psql "$DATABASE_URL" -f deploy/intake-role.sql
--   psql "$DATABASE_URL" -c '\password sync_intake'

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sync_intake') THEN
        CREATE ROLE sync_intake LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
END
$$;

ALTER ROLE sync_intake SET statement_timeout = '3s';

GRANT INSERT (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, error_message, completed_at),
    UPDATE (status, error_message, completed_at)
    ON sync_jobs TO sync_intake;
GRANT INSERT (job_id, level, message) ON sync_logs TO sync_intake;
-- Not credentials, not the pages a user has.
GRANT SELECT ON sync_jobs, sync_logs, sync_workers, sync_intents, sync_metrics, sync_alerts, sync_schema_migrations
    TO sync_intake;

-- The numbers of log lines. An adopted table may have named its sequence in a way of its own.
DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SEQUENCE %s TO sync_intake', pg_get_serial_sequence('sync_logs', 'id'));
END
$$;
