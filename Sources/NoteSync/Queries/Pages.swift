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
            SELECT s.notion_page_id, s.keep_modified_at, s.last_synced_at, s.content_hash, s.untitled_number,
                i.operation, i.idempotency_key, i.intent_hash, i.resolution, f.found AS has_failed
            FROM unnest(\(noteIDs)) WITH ORDINALITY AS wanted (note_id, position)
            LEFT JOIN LATERAL (
                SELECT notion_page_id, keep_modified_at, last_synced_at, untitled_number,
                    CASE WHEN hash_modified_at = keep_modified_at THEN content_hash END AS content_hash
                FROM sync_state
                WHERE user_id = \(user.rawValue) AND keep_note_id = wanted.note_id LIMIT 1
            ) AS s ON true
            LEFT JOIN LATERAL (
                SELECT operation, idempotency_key, content_hash AS intent_hash, resolution FROM sync_intents
                WHERE user_id = \(user.rawValue) AND keep_note_id = wanted.note_id LIMIT 1
            ) AS i ON true
            LEFT JOIN LATERAL (
                SELECT true AS found FROM sync_failed_notes
                WHERE user_id = \(user.rawValue) AND keep_note_id = wanted.note_id LIMIT 1
            ) AS f ON true
            ORDER BY wanted.position
            """
        )
    }

    /// Records pages of notes that had none. Not used where a row is known: an upsert that updates still takes a number of
    /// the table's 31-bit sequence.
    static func insertPages(_ pages: [PageRecord], user: UserID) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_state AS s (user_id, keep_note_id, notion_page_id, keep_modified_at, last_synced_at, content_hash,
                hash_modified_at, untitled_number)
            SELECT \(user.rawValue), note_id, page_id, modified_at, timezone('utc', clock_timestamp()), hash, modified_at, number
            FROM unnest(
                \(pages.map(\.noteID)), \(pages.map(\.pageID)), \(pages.map { PostgresTimestamp($0.modifiedAt.date) }),
                \(pages.map(\.hash.text)), \(pages.map { $0.untitledNumber.map(Int32.init(clamping:)) })
            ) AS new (note_id, page_id, modified_at, hash, number)
            ON CONFLICT (user_id, keep_note_id) DO UPDATE
            SET notion_page_id = excluded.notion_page_id, keep_modified_at = excluded.keep_modified_at,
                last_synced_at = excluded.last_synced_at, content_hash = excluded.content_hash,
                hash_modified_at = excluded.hash_modified_at, untitled_number = excluded.untitled_number
            """
        )
    }

    /// Records what known pages show. If an operator has deleted a row meanwhile, its page is to be created anew, so no row
    /// is made for it. By the unique index on user and note.
    static func updatePages(_ pages: [PageRecord], user: UserID) -> PostgresQuery {
        .byIndex(
            """
            UPDATE sync_state AS s
            SET notion_page_id = p.page_id, keep_modified_at = p.modified_at, content_hash = p.hash,
                hash_modified_at = p.modified_at, untitled_number = p.number,
                last_synced_at = CASE WHEN p.is_written THEN timezone('utc', clock_timestamp()) ELSE s.last_synced_at END
            FROM unnest(
                \(pages.map(\.noteID)), \(pages.map(\.pageID)), \(pages.map { PostgresTimestamp($0.modifiedAt.date) }),
                \(pages.map(\.hash.text)), \(pages.map { $0.untitledNumber.map(Int32.init(clamping:)) }),
                \(pages.map(\.isWritten))
            ) AS p (note_id, page_id, modified_at, hash, number, is_written)
            CROSS JOIN LATERAL (
                SELECT t.id FROM sync_state AS t
                WHERE t.user_id = \(user.rawValue) AND t.keep_note_id = p.note_id LIMIT 1
            ) AS found
            WHERE s.id = found.id
            """
        )
    }
}
