internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// What the tables know of some notes, in their order.
    ///
    /// A hash counts only where the replaced service has not written the page since.
    ///
    /// LIMIT keeps each look-up a look-up: without it the planner may read all notes of the user instead.
    static func knownNotes(_ noteIDs: [String], user: UserID) -> PostgresQuery {
        .byIndex(
            """
            SELECT s.notion_page_id, s.keep_modified_at, s.last_synced_at, s.content_hash, s.untitled_number, s.database_id,
                i.operation, i.idempotency_key, i.intent_hash, i.intent_modified_at, i.resolution, i.unknown_count,
                i.request, i.replaced, i.unknown_for, i.unknown_at, i.open_for, i.reason, i.intent_database_id,
                f.code AS failure_code, f.failure_hash, f.failure_database_id, f.error AS failure_error
            FROM unnest(\(noteIDs)) WITH ORDINALITY AS wanted (note_id, position)
            LEFT JOIN LATERAL (
                SELECT notion_page_id, keep_modified_at, last_synced_at, untitled_number, notion_database_id AS database_id,
                    CASE WHEN hash_modified_at = keep_modified_at THEN content_hash END AS content_hash
                FROM sync_state
                WHERE user_id = \(user.rawValue) AND keep_note_id = wanted.note_id LIMIT 1
            ) AS s ON true
            LEFT JOIN LATERAL (
                SELECT operation, request, notion_page_id AS replaced, idempotency_key, content_hash AS intent_hash, keep_modified_at AS intent_modified_at,
                    resolution, unknown_count, unknown_at, reason, notion_database_id AS intent_database_id,
                    CASE WHEN isfinite(unknown_at) THEN extract(epoch FROM clock_timestamp() - unknown_at)::float8
                         WHEN unknown_at < clock_timestamp() THEN 1e9 END AS unknown_for,
                    CASE WHEN isfinite(open_until) THEN extract(epoch FROM open_until - clock_timestamp())::float8
                         WHEN open_until > clock_timestamp() THEN 1e9 END AS open_for
                FROM sync_intents
                WHERE user_id = \(user.rawValue) AND keep_note_id = wanted.note_id LIMIT 1
            ) AS i ON true
            LEFT JOIN LATERAL (
                SELECT code, error, content_hash AS failure_hash, notion_database_id AS failure_database_id
                FROM sync_failed_notes
                WHERE user_id = \(user.rawValue) AND keep_note_id = wanted.note_id LIMIT 1
            ) AS f ON true
            ORDER BY wanted.position
            """
        )
    }

    /// Records pages that requests have made. The first one becomes the note's page, in place of the one it was to
    /// replace, which may lie in another database. Where it is the note's page already, by an answer that came before,
    /// the row stays as it is: the page may have been updated since. Any other is a surplus page, on record for the
    /// operator, with a line in the log if the job is still there; and where the page of record shows something else, the
    /// note is asked for again.
    ///
    /// By the unique index on user and note. An identifier of a page is one note's alone, so that it need not be matched
    /// with its note. Mostly there is no surplus, and then nothing more is looked at. No line is written while somebody
    /// has the job's record locked: the foreign key would wait, with the notes locked.
    static func recordCreatedPages(_ pages: [CreatedPage], user: UserID, job: JobID) -> PostgresQuery {
        let records = pages.map(\.record)
        return .byIndex(
            """
            WITH made AS MATERIALIZED (
                SELECT *
                FROM unnest(
                    \(records.map(\.noteID)), \(records.map(\.pageID)),
                    \(records.map { PostgresTimestamp($0.modifiedAt.date) }), \(records.map(\.hash.text)),
                    \(records.map { $0.untitledNumber.map(Int32.init(clamping:)) }), \(records.map(\.databaseID.text)),
                    \(pages.map(\.key))
                ) AS m (note_id, page_id, modified_at, hash, number, database_id, key)
            ), recorded AS (
                INSERT INTO sync_state AS s (user_id, keep_note_id, notion_page_id, keep_modified_at, last_synced_at,
                    content_hash, hash_modified_at, untitled_number, notion_database_id)
                SELECT \(user.rawValue), note_id, page_id, modified_at, timezone('utc', clock_timestamp()), hash, modified_at,
                    number, database_id
                FROM made
                ON CONFLICT (user_id, keep_note_id) DO UPDATE
                SET (notion_page_id, keep_modified_at, last_synced_at, content_hash, hash_modified_at, untitled_number,
                    notion_database_id) = (
                    SELECT (r.kept).notion_page_id, (r.kept).keep_modified_at, (r.kept).last_synced_at, (r.kept).content_hash,
                        (r.kept).hash_modified_at, (r.kept).untitled_number, (r.kept).notion_database_id
                    FROM (SELECT CASE WHEN s.notion_page_id = excluded.notion_page_id THEN s ELSE excluded END AS kept) AS r
                )
                WHERE s.notion_page_id = excluded.notion_page_id OR s.notion_page_id = ANY (\(pages.compactMap(\.replaced)))
                RETURNING keep_note_id
            ), rest AS MATERIALIZED (
                SELECT * FROM made
                WHERE (SELECT count(*) FROM recorded) < (SELECT count(*) FROM made)
                    AND note_id <> ALL (ARRAY(SELECT keep_note_id FROM recorded))
            ), surplus AS (
                INSERT INTO sync_surplus_pages (user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key,
                    job_id)
                SELECT \(user.rawValue), note_id, page_id, database_id, key, \(job.rawValue) FROM rest
                ON CONFLICT DO NOTHING
                RETURNING keep_note_id, notion_page_id
            ), asked AS (
                INSERT INTO sync_failed_notes (user_id, keep_note_id, keep_modified_at, code, error, job_id)
                SELECT \(user.rawValue), m.note_id, m.modified_at AT TIME ZONE 'UTC', 'superseded',
                    'Another request made the note''s page; this text is on a surplus page and comes with the next sync.',
                    \(job.rawValue)
                FROM surplus
                JOIN rest AS m ON m.note_id = surplus.keep_note_id
                LEFT JOIN LATERAL (
                    SELECT s.content_hash FROM sync_state AS s
                    WHERE s.user_id = \(user.rawValue) AND s.keep_note_id = m.note_id LIMIT 1
                ) AS t ON true
                WHERE t.content_hash IS DISTINCT FROM m.hash
                ON CONFLICT (user_id, keep_note_id) DO UPDATE
                SET code = excluded.code, error = excluded.error, job_id = excluded.job_id, content_hash = NULL,
                    keep_modified_at = least(sync_failed_notes.keep_modified_at, excluded.keep_modified_at)
            )
            INSERT INTO sync_logs (job_id, keep_note_id, level, message)
            SELECT \(job.rawValue), keep_note_id, 'WARNING', 'Surplus page ' || notion_page_id
                || ': the note has another. See: syncctl unknown surplus'
            FROM surplus
            WHERE (SELECT true FROM sync_jobs WHERE job_id = \(job.rawValue) FOR KEY SHARE SKIP LOCKED)
            """
        )
    }

    /// Records what updates have written, each only if no other request has been sent for its note since: of two, nobody
    /// knows which came last. If an operator has deleted a row meanwhile, its page is to be created anew, so no row is made for
    /// it. By the unique index on user and note and the primary key of `sync_intents`.
    static func recordUpdatedPages(_ pages: [UpdatedPage], user: UserID) -> PostgresQuery {
        let records = pages.map(\.record)
        return .byIndex(
            """
            UPDATE sync_state AS s
            SET keep_modified_at = p.modified_at, content_hash = p.hash, hash_modified_at = p.modified_at,
                untitled_number = p.number, notion_database_id = p.database_id, last_synced_at = timezone('utc', clock_timestamp())
            FROM unnest(
                \(records.map(\.noteID)), \(records.map(\.pageID)), \(records.map { PostgresTimestamp($0.modifiedAt.date) }),
                \(records.map(\.hash.text)), \(records.map { $0.untitledNumber.map(Int32.init(clamping:)) }),
                \(records.map(\.databaseID.text)), \(pages.map(\.request.rawValue))
            ) AS p (note_id, page_id, modified_at, hash, number, database_id, request)
            CROSS JOIN LATERAL (
                SELECT t.id FROM sync_state AS t
                WHERE t.user_id = \(user.rawValue) AND t.keep_note_id = p.note_id AND t.notion_page_id = p.page_id LIMIT 1
            ) AS found
            CROSS JOIN LATERAL (
                SELECT true FROM sync_intents AS i
                WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = p.note_id AND i.request = p.request LIMIT 1
            ) AS own
            WHERE s.id = found.id
            """
        )
    }

    /// Records that pages show notes as they are now, though nothing was written. By the unique index on user and note.
    static func recordFoundPages(_ pages: [PageRecord], user: UserID) -> PostgresQuery {
        .byIndex(
            """
            UPDATE sync_state AS s
            SET keep_modified_at = p.modified_at, content_hash = p.hash, hash_modified_at = p.modified_at,
                untitled_number = p.number, notion_database_id = p.database_id
            FROM unnest(
                \(pages.map(\.noteID)), \(pages.map(\.pageID)), \(pages.map { PostgresTimestamp($0.modifiedAt.date) }),
                \(pages.map(\.hash.text)), \(pages.map { $0.untitledNumber.map(Int32.init(clamping:)) }),
                \(pages.map(\.databaseID.text))
            ) AS p (note_id, page_id, modified_at, hash, number, database_id)
            CROSS JOIN LATERAL (
                SELECT t.id FROM sync_state AS t
                WHERE t.user_id = \(user.rawValue) AND t.keep_note_id = p.note_id AND t.notion_page_id = p.page_id LIMIT 1
            ) AS found
            WHERE s.id = found.id
            """
        )
    }
}
