-- The four tables the gateway and the admin interface know. An existing installation has them, with rows: they are
-- taken over as they are. All "timestamp" columns hold UTC, whatever the session's time zone, hence the defaults.

CREATE TABLE IF NOT EXISTS sync_jobs (
    job_id          uuid PRIMARY KEY,
    user_id         varchar(255) NOT NULL,
    status          varchar(50) NOT NULL,
    full_sync       boolean DEFAULT false,
    total_notes     int DEFAULT 0,
    processed_notes int DEFAULT 0,
    failed_notes    int DEFAULT 0,
    error_message   text,
    created_at      timestamp NOT NULL DEFAULT now(),
    completed_at    timestamp
);

CREATE TABLE IF NOT EXISTS sync_state (
    id               serial PRIMARY KEY,
    user_id          varchar(255) NOT NULL,
    keep_note_id     varchar(255) NOT NULL,
    notion_page_id   varchar(255) NOT NULL,
    last_synced_at   timestamp NOT NULL DEFAULT now(),
    keep_modified_at timestamp NOT NULL,
    UNIQUE (user_id, keep_note_id)
);

CREATE TABLE IF NOT EXISTS credentials (
    user_id            varchar(255) PRIMARY KEY,
    google_oauth_token text NOT NULL,
    notion_api_token   text NOT NULL,
    notion_database_id varchar(255) NOT NULL,
    updated_at         timestamp NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS sync_logs (
    id           serial PRIMARY KEY,
    job_id       uuid NOT NULL REFERENCES sync_jobs,
    keep_note_id varchar(255),
    level        varchar(20) NOT NULL,
    message      text NOT NULL,
    created_at   timestamp NOT NULL DEFAULT now()
);

ALTER TABLE sync_jobs ALTER COLUMN created_at SET DEFAULT timezone('utc', now());
ALTER TABLE sync_state ALTER COLUMN last_synced_at SET DEFAULT timezone('utc', now());
ALTER TABLE credentials ALTER COLUMN updated_at SET DEFAULT timezone('utc', now());
ALTER TABLE sync_logs ALTER COLUMN created_at SET DEFAULT timezone('utc', now());

-- An existing installation has these indexes under names of its own; a second copy would only cost.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_indexes
                   WHERE schemaname = current_schema() AND tablename = 'sync_jobs'
                     AND indexdef LIKE '%(user_id, created_at DESC)%') THEN
        CREATE INDEX sync_jobs_user_created ON sync_jobs (user_id, created_at DESC);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_indexes
                   WHERE schemaname = current_schema() AND tablename = 'sync_logs'
                     AND indexdef LIKE '%(job_id%') THEN
        CREATE INDEX sync_logs_job ON sync_logs (job_id);
    END IF;
    -- The upserts of sync_state rest on this one.
    IF NOT EXISTS (SELECT FROM pg_indexes
                   WHERE schemaname = current_schema() AND tablename = 'sync_state'
                     AND indexdef LIKE '%UNIQUE%(user_id, keep_note_id)%') THEN
        CREATE UNIQUE INDEX sync_state_user_note ON sync_state (user_id, keep_note_id);
    END IF;
END
$$;
