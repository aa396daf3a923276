-- What the sync of notes remembers.

ALTER TABLE sync_state
    ADD COLUMN content_hash     text,      -- of what was last written; NULL: written by the replaced service
    -- `keep_modified_at` when `content_hash` was taken. The replaced service writes that column and knows no hashes:
    -- where the two differ, it has written the page since (a rollback), and the hash says nothing of it.
    ADD COLUMN hash_modified_at timestamp,
    ADD COLUMN untitled_number  int;       -- N of the title "Note #N" the page was created with

ALTER TABLE sync_state SET (
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05
);

-- Where a user's next incremental sync begins, in Keep's own time. NULL: fetch everything.
CREATE TABLE sync_cursors (
    user_id          varchar(255) PRIMARY KEY,
    keep_modified_at timestamptz,
    version          bigint NOT NULL DEFAULT 0, -- a job moves the cursor only if this is still what it read at its start
    updated_at       timestamptz NOT NULL DEFAULT now()
);

-- Notes that could not be written. Asked for again by every incremental sync until they are.
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
    PRIMARY KEY (user_id, keep_note_id)
);

-- A write to Notion that has begun and whose outcome is not known yet. The row is committed before the request is sent
-- and goes in the transaction that records the outcome: what is left of a dead worker are exactly the writes that may
-- or may not have happened.
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
    PRIMARY KEY (user_id, keep_note_id)
);

CREATE INDEX sync_intents_unknown ON sync_intents (unknown_at) WHERE unknown_at IS NOT NULL;

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
