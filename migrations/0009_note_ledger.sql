-- Every write to Notion accounted for: what a request needs to be told from every other, which database a page belongs to, and
-- what was refused or left for later.

-- The identifier of a Notion database as 32 lower-case hexadecimal digits, however it is written: with dashes, as a whole
-- address, with a title before it. Anything else stays as it is.
CREATE FUNCTION sync_notion_database(id text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN d.digits ~ '[0-9a-f]{32}$' THEN right(d.digits, 32) ELSE btrim(id, E' \t\r\n') END
    FROM (SELECT replace(lower(regexp_replace(regexp_replace(btrim(id, E' \t\r\n'), '/*([?#].*)?$', ''), '^.*/', '')), '-', '')
          AS digits) AS d
$$;

-- The database a page lies in. NULL: the replaced service has written the row since the take-over; it knows one database a user.
ALTER TABLE sync_state ADD COLUMN notion_database_id varchar(255);
UPDATE sync_state AS s SET notion_database_id = left(sync_notion_database(c.notion_database_id), 255)
FROM credentials AS c
WHERE c.user_id = s.user_id;

-- The database that the cursor belongs to. NULL: see the user's pages.
ALTER TABLE sync_cursors ADD COLUMN notion_database_id varchar(255);

-- What was refused for good, or left for later because its page lies in the trash, is not sent again while it is the same.
ALTER TABLE sync_failed_notes
    ADD COLUMN content_hash       text,
    ADD COLUMN notion_database_id varchar(255); -- a property that one database lacks another may have

-- Each row is the latest request sent for a note. An answer that comes late is known by its request's number.
ALTER TABLE sync_intents
    ADD COLUMN request            bigint NOT NULL DEFAULT 0, -- random; new for each request
    ADD COLUMN open_until         timestamptz, -- until then it may be under way; NULL: its outcome has been seen
    ADD COLUMN notion_database_id varchar(255),
    ADD COLUMN is_probe           boolean NOT NULL DEFAULT false, -- sent to see whether an outage is over
    ADD COLUMN sent_count         int NOT NULL DEFAULT 0; -- requests whose outcome is unknown, probes among them

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

-- Emptying the table has every page of every user created anew.
CREATE FUNCTION sync_state_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    UPDATE sync_cursors
    SET keep_modified_at = NULL, notion_database_id = NULL, version = version + 1, updated_at = now();
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
