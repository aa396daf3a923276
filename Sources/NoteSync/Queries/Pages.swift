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
        .byIndexGivingWay(
            """
            SELECT s.notion_page_id, s.keep_modified_at, s.last_synced_at, s.content_hash, s.untitled_number, s.database_id,
                i.operation, i.idempotency_key, i.intent_hash, i.intent_modified_at, i.resolution, i.unknown_count, i.was_trial,
                i.was_outage, i.request, i.replaced, i.unknown_for, i.unknown_at, i.open_for, i.reason, i.intent_database_id,
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
                    resolution, unknown_count, was_trial, was_outage, unknown_at, reason, notion_database_id AS intent_database_id,
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
    /// the row stays as it is: the page may have been updated since. Any other is a surplus page, as the comment of the
    /// function in 0004_note_sync.sql says. An identifier of a page is one note's alone. By the unique index on user
    /// and note, and the primary key of `sync_intents`.
    ///
    /// A page whose request was sent before the user moved to another database takes no place from the one that a later
    /// request is to make there: that one would be a surplus page then, and be made once more.
    ///
    /// Mostly the rows are new, and the function is not called.
    ///
    /// - Parameter areLate: whether other requests may have been sent for the notes since.
    static func recordCreatedPages(
        _ pages: [CreatedPage],
        user: UserID,
        job: JobID,
        areLate: Bool = false
    ) -> PostgresQuery {
        let records = pages.map(\.record)
        return .byIndexGivingWay(
            """
            WITH recorded AS (
                INSERT INTO sync_state AS s (user_id, keep_note_id, notion_page_id, keep_modified_at, last_synced_at,
                    content_hash, hash_modified_at, untitled_number, notion_database_id)
                SELECT \(user.rawValue), note_id, page_id, modified_at, timezone('utc', clock_timestamp()), hash, modified_at,
                    number, database_id
                FROM unnest(
                    \(records.map(\.noteID)), \(records.map(\.pageID)), \(records.map { PostgresTimestamp($0.modifiedAt.date) }),
                    \(records.map { $0.hash?.text }), \(records.map { $0.untitledNumber.map(Int32.init(clamping:)) }),
                    \(records.map(\.databaseID.text)), \(pages.map(\.request.rawValue))
                ) AS m (note_id, page_id, modified_at, hash, number, database_id, request)
                WHERE NOT (\(areLate) AND EXISTS (
                    SELECT FROM sync_intents AS i
                    WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = m.note_id AND i.request <> m.request
                        AND i.notion_database_id <> m.database_id))
                ON CONFLICT (user_id, keep_note_id) DO UPDATE
                SET notion_page_id = excluded.notion_page_id, keep_modified_at = excluded.keep_modified_at,
                    last_synced_at = excluded.last_synced_at, content_hash = excluded.content_hash,
                    hash_modified_at = excluded.hash_modified_at, untitled_number = excluded.untitled_number,
                    notion_database_id = excluded.notion_database_id
                WHERE s.notion_page_id <> excluded.notion_page_id AND s.notion_page_id = ANY (\(pages.compactMap(\.replaced)))
                RETURNING 1
            )
            SELECT sync_record_surplus_pages(
                \(user.rawValue), \(job.rawValue), \(records.map(\.noteID)), \(records.map(\.pageID)),
                \(records.map { PostgresTimestamp($0.modifiedAt.date) }), \(records.map { $0.hash?.text }),
                \(records.map(\.databaseID.text)), \(pages.map(\.key)), \(areLate)
            )
            FROM (SELECT count(*) AS total FROM recorded) AS recorded
            WHERE recorded.total < \(pages.count)
            """
        )
    }

    /// Records what updates have written, each only if no other request has been sent for its note since: of two,
    /// nobody knows which came last. If an operator has deleted a row meanwhile, its page is to be created anew, so no
    /// row is made for it. Fails if a row that is there keeps what it had: every sync would append the same text again.
    /// By the unique index on user and note and the primary key of `sync_intents`.
    static func recordUpdatedPages(_ pages: [UpdatedPage], user: UserID) -> PostgresQuery {
        let records = pages.map(\.record)
        return .byIndexGivingWay(
            """
            WITH written AS MATERIALIZED (
                SELECT found.id, p.*
                FROM unnest(
                    \(records.map(\.noteID)), \(records.map(\.pageID)), \(records.map { PostgresTimestamp($0.modifiedAt.date) }),
                    \(records.map { $0.hash?.text }), \(records.map { $0.untitledNumber.map(Int32.init(clamping:)) }),
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
            ), kept AS (
                UPDATE sync_state AS s
                SET keep_modified_at = p.modified_at, content_hash = p.hash, hash_modified_at = p.modified_at,
                    untitled_number = p.number, notion_database_id = p.database_id,
                    last_synced_at = timezone('utc', clock_timestamp())
                FROM written AS p
                WHERE s.id = p.id
                RETURNING 1
            )
            SELECT sync_state_is_lost()
            FROM (SELECT count(*) AS total FROM kept) AS kept
            WHERE kept.total < (SELECT count(*) FROM written)
            """
        )
    }

    /// Records that pages show notes as they are now, though nothing was written. By the unique index on user and note.
    static func recordFoundPages(_ pages: [PageRecord], user: UserID) -> PostgresQuery {
        .byIndexGivingWay(
            """
            UPDATE sync_state AS s
            SET keep_modified_at = p.modified_at, content_hash = p.hash, hash_modified_at = p.modified_at,
                untitled_number = p.number, notion_database_id = p.database_id
            FROM unnest(
                \(pages.map(\.noteID)), \(pages.map(\.pageID)), \(pages.map { PostgresTimestamp($0.modifiedAt.date) }),
                \(pages.map { $0.hash?.text }), \(pages.map { $0.untitledNumber.map(Int32.init(clamping:)) }),
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
