-- The four tables that the gateway and the admin interface read and write. An existing installation has them, with rows: they
-- are adopted as they are. A "timestamp" column holds UTC, whatever the session's time zone, hence the defaults.

CREATE TABLE IF NOT EXISTS sync_jobs (
    job_id          uuid PRIMARY KEY,
    user_id         varchar(255) NOT NULL,
    status          varchar(50) NOT NULL,            -- queued, running, completed, failed, cancelled
    full_sync       boolean DEFAULT false,
    total_notes     int DEFAULT 0,
    processed_notes int DEFAULT 0,                   -- written, or up to date already
    failed_notes    int DEFAULT 0,
    error_message   text,                            -- why the job failed for good
    created_at      timestamp NOT NULL DEFAULT timezone('utc', now()),
    completed_at    timestamp                        -- set for every finished job: completed, failed, cancelled
);

CREATE TABLE IF NOT EXISTS sync_state (
    id               bigserial PRIMARY KEY,
    user_id          varchar(255) NOT NULL,
    keep_note_id     varchar(255) NOT NULL,
    notion_page_id   varchar(255) NOT NULL,
    last_synced_at   timestamp NOT NULL DEFAULT timezone('utc', now()),
    keep_modified_at timestamp NOT NULL,             -- of the note as it was last written
    UNIQUE (user_id, keep_note_id)
);

CREATE TABLE IF NOT EXISTS credentials (
    user_id            varchar(255) PRIMARY KEY,
    google_oauth_token text NOT NULL,                -- encrypted
    notion_api_token   text NOT NULL,                -- encrypted
    notion_database_id varchar(255) NOT NULL,
    updated_at         timestamp NOT NULL DEFAULT timezone('utc', now())
);

CREATE TABLE IF NOT EXISTS sync_logs (
    id           bigserial PRIMARY KEY,
    job_id       uuid NOT NULL REFERENCES sync_jobs,
    keep_note_id varchar(255),
    level        varchar(20) NOT NULL,               -- INFO, WARNING, ERROR
    message      text NOT NULL,
    created_at   timestamp NOT NULL DEFAULT timezone('utc', now())
);

-- Tables that existed have the local time as their default.
ALTER TABLE sync_jobs ALTER COLUMN created_at SET DEFAULT timezone('utc', now());
ALTER TABLE sync_state ALTER COLUMN last_synced_at SET DEFAULT timezone('utc', now());
ALTER TABLE credentials ALTER COLUMN updated_at SET DEFAULT timezone('utc', now());
ALTER TABLE sync_logs ALTER COLUMN created_at SET DEFAULT timezone('utc', now());

-- Tables that existed have these indexes under names of their own; a second copy would only cost.
-- locks: SHARE on sync_logs, sync_state, where such an index is missing
DO $$
BEGIN
    -- Serves the log of a job, and the deletion of jobs.
    IF NOT EXISTS (SELECT FROM pg_indexes
                   WHERE schemaname = current_schema() AND tablename = 'sync_logs'
                     AND indexdef LIKE '%(job_id%') THEN
        CREATE INDEX sync_logs_job ON sync_logs (job_id);
    END IF;
    -- Serves the upserts of a note's state.
    IF NOT EXISTS (SELECT FROM pg_indexes
                   WHERE schemaname = current_schema() AND tablename = 'sync_state'
                     AND indexdef LIKE '%UNIQUE%(user_id, keep_note_id)%') THEN
        CREATE UNIQUE INDEX sync_state_user_note ON sync_state (user_id, keep_note_id);
    END IF;
END
$$;

-- BOUNDS of what other roles write, here and for sync_jobs in 0002_job_queue.sql. What is beyond is brought back to the bound
-- and not refused: a statement of the gateway or the admin interface must not fail for it. Rows that are there stay as they
-- are until they are written.
--
--   sync_logs.message                                          16384 characters
--   credentials.google_oauth_token, credentials.notion_api_token   65536 characters; what is cut opens with no key
CREATE FUNCTION sync_logs_bound() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.message := left(NEW.message, 16384);
    RETURN NEW;
END
$$;

CREATE FUNCTION sync_credentials_bound() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.google_oauth_token := left(NEW.google_oauth_token, 65536);
    NEW.notion_api_token := left(NEW.notion_api_token, 65536);
    RETURN NEW;
END
$$;

CREATE TRIGGER sync_logs_bound BEFORE INSERT OR UPDATE OF message ON sync_logs
    FOR EACH ROW WHEN (octet_length(NEW.message) > 16384)
    EXECUTE FUNCTION sync_logs_bound();

CREATE TRIGGER sync_credentials_bound BEFORE INSERT OR UPDATE OF google_oauth_token, notion_api_token ON credentials
    FOR EACH ROW WHEN (octet_length(NEW.google_oauth_token) > 65536 OR octet_length(NEW.notion_api_token) > 65536)
    EXECUTE FUNCTION sync_credentials_bound();
