-- The sidecar's role: it reads what it shows, and could not write if it tried. Run as the owner of the tables, in the
-- service's database, after `syncctl migrate`; then give it a password:
--
--   psql "$DATABASE_URL" -f deploy/sidecar-role.sql
--   psql "$DATABASE_URL" -c '\password sync_sidecar'

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sync_sidecar') THEN
        CREATE ROLE sync_sidecar LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
END
$$;

ALTER ROLE sync_sidecar SET default_transaction_read_only = on;
ALTER ROLE sync_sidecar SET statement_timeout = '3s';

-- Not credentials, not the pages a user has.
GRANT SELECT ON sync_jobs, sync_logs, sync_workers, sync_intents, sync_metrics, sync_alerts, sync_schema_migrations
    TO sync_sidecar;
