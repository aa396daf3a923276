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
    created_at       timestamptz NOT NULL DEFAULT now(), -- when it was committed, just before the request was sent
    unknown_at       timestamptz,              -- since when its outcome is known to be unknown
    unknown_count    int NOT NULL DEFAULT 0,   -- requests sent for it whose outcome is unknown
    -- One of them was sent to find out whether the writer is well again: an outage does not count twice, so one more is allowed
    -- before the note is held.
    was_trial        boolean NOT NULL DEFAULT false,
    -- One of them came just before the writer was found out of order for all: that does not count either. Of the two one is left
    -- out of the count, so that a note is sent once more than otherwise, and never twice more.
    was_outage       boolean NOT NULL DEFAULT false,
    resolution       text CHECK (resolution IN ('retry', 'hold')), -- an operator's word, over the policy
    reason           text,
    request          bigint NOT NULL DEFAULT 0, -- random; new for each request
    open_until       timestamptz,              -- until then it may be under way; NULL: its outcome has been seen
    notion_database_id varchar(255),
    PRIMARY KEY (user_id, keep_note_id)
);

CREATE INDEX sync_intents_unknown ON sync_intents (unknown_at) WHERE unknown_at IS NOT NULL;

-- Requests that may or may not have been carried out and have lost their row in sync_intents: another was sent for the note since,
-- or the note has got a page in another way. Each create may have made a page. It stands here until its answer is heard or a
-- person has seen to it.
CREATE TABLE sync_unheard_requests (
    user_id            varchar(255) NOT NULL,
    keep_note_id       varchar(255) NOT NULL,
    -- The request's number. Negative: a person has named the page of one of the note's requests, and nobody knows of which; no
    -- answer takes the row away any more.
    request            bigint NOT NULL,
    operation          text NOT NULL CHECK (operation IN ('create', 'update')),
    -- As in sync_intents, like the following; with a negative number the page that was named.
    notion_page_id     varchar(255),
    idempotency_key    uuid NOT NULL,
    content_hash       text NOT NULL,
    keep_modified_at   timestamptz NOT NULL,
    job_id             uuid NOT NULL,
    notion_database_id varchar(255),
    sent_at            timestamptz NOT NULL,
    surplus_since      timestamptz, -- since when a page it may have made is beside the note's own; NULL: the note's write is open
    PRIMARY KEY (user_id, keep_note_id, request)
);

-- A request takes the row of another whose outcome is not known. No statement can forget to leave that one on record. What a note
-- that has a page now was created with is beside that page, and so is what was created in another database.
CREATE FUNCTION sync_intent_replaced() RETURNS trigger
    LANGUAGE plpgsql AS $$
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

-- A request that is begun has a time until which it may be under way; one whose row is given back has none.
CREATE TRIGGER sync_intent_replaced AFTER UPDATE OF request ON sync_intents
    FOR EACH ROW WHEN (NEW.request <> OLD.request AND NEW.open_until IS NOT NULL)
    EXECUTE FUNCTION sync_intent_replaced();

-- Writes whose outcome is unknown, also while they are sent again, and those whose lease is over or whose time has passed, whether
-- or not a worker has found it. What is listed and what is counted is this.
CREATE VIEW sync_unknown_writes AS
SELECT i.user_id, i.keep_note_id, i.operation FROM sync_intents AS i
WHERE i.unknown_at IS NOT NULL OR i.unknown_count > 0 OR coalesce(i.open_until <= clock_timestamp(), true)
    OR NOT EXISTS (SELECT FROM sync_queue AS q
                   WHERE q.user_id = i.user_id AND q.lease = i.lease AND q.lease_expires_at > clock_timestamp());

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

-- Who stores credentials with a key binds them to their user: `binding` is a code over the user, both encrypted tokens and the
-- database, by a key derived from the encryption key. No value of another row makes one that is valid here.
ALTER TABLE credentials
    ADD COLUMN binding            text,        -- NULL: there is none
    ADD COLUMN binding_cleared_at timestamptz; -- when a change without a new binding took it away; NULL: none has

-- Users whose bound credentials were deleted, or given to another user. Who stores credentials for one of them without a binding
-- has changed what was bound.
CREATE TABLE sync_unbound_users (
    user_id    varchar(255) PRIMARY KEY,
    unbound_at timestamptz NOT NULL
);

-- The admin interface changes single columns and knows nothing of bindings: what is bound no more says so. Nobody writes
-- `binding_cleared_at` but this.
CREATE FUNCTION sync_credentials_changed() RETURNS trigger
    LANGUAGE plpgsql AS $$
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

CREATE TRIGGER sync_credentials_changed BEFORE UPDATE ON credentials
    FOR EACH ROW EXECUTE FUNCTION sync_credentials_changed();

-- A row that is deleted and inserted anew is a change like any other.
CREATE FUNCTION sync_credentials_unbound() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO sync_unbound_users VALUES (OLD.user_id, clock_timestamp())
    ON CONFLICT (user_id) DO UPDATE SET unbound_at = excluded.unbound_at;
    RETURN NULL;
END
$$;

CREATE TRIGGER sync_credentials_deleted AFTER DELETE ON credentials
    FOR EACH ROW WHEN (OLD.binding IS NOT NULL OR OLD.binding_cleared_at IS NOT NULL)
    EXECUTE FUNCTION sync_credentials_unbound();
CREATE TRIGGER sync_credentials_renamed AFTER UPDATE OF user_id ON credentials
    FOR EACH ROW WHEN (OLD.user_id <> NEW.user_id AND (OLD.binding IS NOT NULL OR OLD.binding_cleared_at IS NOT NULL))
    EXECUTE FUNCTION sync_credentials_unbound();

CREATE FUNCTION sync_credentials_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO sync_unbound_users
    SELECT user_id, clock_timestamp() FROM credentials WHERE binding IS NOT NULL OR binding_cleared_at IS NOT NULL
    ON CONFLICT (user_id) DO UPDATE SET unbound_at = excluded.unbound_at;
    RETURN NULL;
END
$$;

CREATE TRIGGER sync_credentials_truncated BEFORE TRUNCATE ON credentials
    FOR EACH STATEMENT EXECUTE FUNCTION sync_credentials_truncated();

CREATE FUNCTION sync_credentials_inserted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    NEW.binding_cleared_at := coalesce(NEW.binding_cleared_at,
        (SELECT u.unbound_at FROM sync_unbound_users AS u WHERE u.user_id = NEW.user_id));
    RETURN NEW;
END
$$;

CREATE TRIGGER sync_credentials_inserted BEFORE INSERT ON credentials
    FOR EACH ROW WHEN (NEW.binding IS NULL)
    EXECUTE FUNCTION sync_credentials_inserted();

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

-- Adds a line to a job's log, or none: whatever keeps the line from being written keeps nothing else. The caller has the job's
-- record locked, so that the foreign key waits for nobody.
CREATE FUNCTION sync_try_log(of_job uuid, of_note text, of_level text, words text) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sync_logs (job_id, keep_note_id, level, message) VALUES (of_job, of_note, of_level, words);
EXCEPTION WHEN OTHERS THEN
    RAISE LOG 'a line of the log of job % is lost: %', of_job, SQLERRM;
END
$$;

-- Fails: a row of sync_state was written, by the server's word, and is not.
CREATE FUNCTION sync_state_is_lost() RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'sync_state does not keep what is written: check it for a trigger, rule or policy that skips rows';
END
$$;

-- Records pages that requests have made of notes that have another, or are to get one in another database: each is a surplus page,
-- on record for the operator, with a line in the log if the job is still there; and where the page of record shows something else,
-- the note is asked for again. Those that are their notes' pages are passed over.
--
-- The arrays have an element for each page. No line is written while somebody has the job's record locked: the foreign key would
-- wait, with the notes locked.
--
-- `are_late`: a note may have no page here while one is being made in another database. Else each has one by now, and if not, what
-- was recorded is lost: every sync would make a page more.
CREATE FUNCTION sync_record_surplus_pages(
    of_user text, of_job uuid, notes text[], pages text[], times timestamp[], hashes text[], databases text[], keys uuid[],
    are_late boolean
) RETURNS void
    LANGUAGE plpgsql AS $$
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

-- What becomes of the earlier requests, of unknown outcome, of notes whose last one has been carried out. What creates may have made
-- is from now on beside the note's page; an earlier update says nothing any more.
CREATE FUNCTION sync_settle_earlier_requests(of_user text, created text[], updated text[]) RETURNS void
    LANGUAGE plpgsql AS $$
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

-- Says in the log of a job that it waits for a gate, for the worker that holds it. Where the last line says so already, that one
-- counts: an outage of hours is one line. As its owner, since a worker may neither read what is logged nor change it.
CREATE FUNCTION sync_log_wait(of_job uuid, held_by bigint, gate text, reason text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER AS $$
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
$$;

-- As in 0002_job_queue.sql: functions find their owner's tables alone, and EXECUTE is not for everybody.
SELECT sync_seal_functions();
