-- What the sync of notes remembers: the page of each note, where the next sync begins, what could not be written, and every write
-- to Notion whose outcome is not known.

-- The identifier of a Notion database as 32 lower-case hexadecimal digits, however it is written: with dashes, as a whole
-- address, with a title before it. Anything else stays as it is.
CREATE FUNCTION sync_notion_database(id text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN d.digits ~ '[0-9a-f]{32}$' THEN right(d.digits, 32) ELSE btrim(id, E' \t\r\n') END
    FROM (SELECT replace(lower(regexp_replace(regexp_replace(btrim(id, E' \t\r\n'), '/*([?#].*)?$', ''), '^.*/', '')), '-', '')
          AS digits) AS d
$$;

ALTER TABLE sync_state
    ADD COLUMN content_hash     text,      -- of what was last written; NULL: written by the replaced service
    -- `keep_modified_at` when `content_hash` was taken. The replaced service writes that column and knows no hashes:
    -- where the two differ, it has written the page since (a rollback), and the hash says nothing of it.
    ADD COLUMN hash_modified_at timestamp,
    ADD COLUMN untitled_number  int,       -- N of the title "Note #N" the page was created with
    -- The database the page lies in. NULL: the replaced service has written the row; it knows one database a user.
    -- 0009_page_databases_online.sql fills it for the rows that are there.
    ADD COLUMN notion_database_id varchar(255);

ALTER TABLE sync_state SET (
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05
);

-- Where a user's next incremental sync begins, in Keep's own time. NULL: fetch everything.
CREATE TABLE sync_cursors (
    user_id          varchar(255) PRIMARY KEY,
    keep_modified_at timestamptz,
    version          bigint NOT NULL DEFAULT 0, -- a job moves the cursor only if this is still what it read at its start
    updated_at       timestamptz NOT NULL DEFAULT now(),
    notion_database_id varchar(255)             -- the database that the cursor belongs to; NULL: see the user's pages
);

-- Notes that could not be written. Asked for again by every incremental sync until they are. What was refused for good, or left
-- for later because its page lies in the trash, is not sent again while its hash is the same.
CREATE TABLE sync_failed_notes (
    user_id          varchar(255) NOT NULL,
    keep_note_id     varchar(255) NOT NULL,
    keep_modified_at timestamptz, -- NULL: the note has none that can be read; then everything is asked for
    code             text NOT NULL, -- 'deferred': its page is in the trash; it waits for its next change
    error            text NOT NULL,
    failures         int NOT NULL DEFAULT 1,
    job_id           uuid NOT NULL,
    first_failed_at  timestamptz NOT NULL DEFAULT now(),
    last_failed_at   timestamptz NOT NULL DEFAULT now(),
    content_hash     text,
    notion_database_id varchar(255), -- a property that one database lacks another may have
    PRIMARY KEY (user_id, keep_note_id)
);

-- A write to Notion that has begun and whose outcome is not known yet. The row is committed before the request is sent
-- and goes in the transaction that records the outcome: what is left of a dead worker are exactly the writes that may
-- or may not have happened. Each row is the latest request sent for its note; an answer that comes late is known by its request's
-- number.
CREATE TABLE sync_intents (
    user_id          varchar(255) NOT NULL,
    keep_note_id     varchar(255) NOT NULL,
    operation        text NOT NULL CHECK (operation IN ('create', 'update')),
    notion_page_id   varchar(255),             -- of an update
    idempotency_key  uuid NOT NULL,            -- stays the same until the create is settled
    content_hash     text NOT NULL,            -- of what is being written
    keep_modified_at timestamptz NOT NULL,
    job_id           uuid NOT NULL,
    lease            bigint NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    unknown_at       timestamptz,              -- since when its outcome is known to be unknown
    unknown_count    int NOT NULL DEFAULT 0,   -- requests sent for it whose outcome is unknown
    resolution       text CHECK (resolution IN ('retry', 'hold')), -- an operator's word, over the policy
    reason           text,
    request          bigint NOT NULL DEFAULT 0, -- random; new for each request
    previous_request bigint NOT NULL DEFAULT 0, -- the one before, if its outcome is unknown; 0: none
    open_until       timestamptz,              -- until then it may be under way; NULL: its outcome has been seen
    notion_database_id varchar(255),
    PRIMARY KEY (user_id, keep_note_id)
);

CREATE INDEX sync_intents_unknown ON sync_intents (unknown_at) WHERE unknown_at IS NOT NULL;

-- Pages beside the one a note has: the answer came after another request had made the note's page.
CREATE TABLE sync_surplus_pages (
    user_id            varchar(255) NOT NULL,
    keep_note_id       varchar(255) NOT NULL,
    notion_page_id     varchar(255) NOT NULL,
    notion_database_id varchar(255) NOT NULL,
    idempotency_key    uuid NOT NULL,
    job_id             uuid NOT NULL,
    found_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, keep_note_id, notion_page_id)
);

-- When a call of a peer last succeeded, whoever made it. Written once a second at most by each worker.
CREATE TABLE sync_peer_successes (
    peer         text PRIMARY KEY,
    succeeded_at timestamptz NOT NULL
);

-- Random keys of this installation, encrypted with the keys of the credentials.
CREATE TABLE sync_installation_keys (
    name       text PRIMARY KEY,
    value      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Somebody deletes states to have pages created anew. Neither the cursor nor what is known of failures must stand in the way,
-- now or at the end of a job that is under way. A request that may be under way is not forgotten.
CREATE FUNCTION sync_state_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
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

CREATE TRIGGER sync_state_deleted AFTER DELETE ON sync_state
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION sync_state_deleted();

-- Emptying the table has every page of every user created anew. A user whose first job is under way has no cursor: the row that
-- is made here keeps the job from setting one.
CREATE FUNCTION sync_state_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
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

CREATE TRIGGER sync_state_truncated AFTER TRUNCATE ON sync_state
    FOR EACH STATEMENT EXECUTE FUNCTION sync_state_truncated();

-- As in 0002_job_queue.sql: functions find their owner's tables alone, and EXECUTE is not for everybody.
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc
             WHERE pronamespace = quote_ident(current_schema())::regnamespace AND proowner = current_user::regrole
                 AND proname LIKE 'sync\_%' LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', f, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
