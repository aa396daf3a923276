internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Commits to writes before they are sent. By the primary key of `sync_intents`.
    ///
    /// A create that is tried again with its key stands for what was first sent with it: that is what a writer that knows the
    /// key has made of it, whatever is sent now. It keeps its count of unknown outcomes, and what an operator said of it until the outcome
    /// is unknown once more.
    static func beginIntents(_ intents: [Intent], user: UserID, job: JobID, lease: Lease) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_intents AS i (user_id, keep_note_id, operation, notion_page_id, idempotency_key, content_hash,
                keep_modified_at, job_id, lease)
            SELECT \(user.rawValue), note_id, operation, page_id, key, hash, modified_at, \(job.rawValue), \(lease.rawValue)
            FROM unnest(
                \(intents.map(\.noteID)), \(intents.map(\.operation.rawValue)), \(intents.map(\.pageID)),
                \(intents.map(\.idempotencyKey)), \(intents.map(\.hash.text)), \(intents.map(\.modifiedAt.date))
            ) AS new (note_id, operation, page_id, key, hash, modified_at)
            ON CONFLICT (user_id, keep_note_id) DO UPDATE
            SET operation = excluded.operation, notion_page_id = excluded.notion_page_id,
                idempotency_key = excluded.idempotency_key,
                content_hash = CASE WHEN i.idempotency_key = excluded.idempotency_key THEN i.content_hash
                                    ELSE excluded.content_hash END,
                keep_modified_at = CASE WHEN i.idempotency_key = excluded.idempotency_key THEN i.keep_modified_at
                                        ELSE excluded.keep_modified_at END,
                job_id = excluded.job_id, lease = excluded.lease,
                created_at = now(), unknown_at = NULL,
                unknown_count = CASE WHEN i.operation = excluded.operation THEN i.unknown_count ELSE 0 END,
                resolution = CASE WHEN i.operation = excluded.operation THEN i.resolution END,
                reason = CASE WHEN i.operation = excluded.operation THEN i.reason END
            """
        )
    }

    /// Records that a write may or may not have happened. By primary key; the table holds open writes only.
    static func markUnknown(_ notes: [(noteID: String, reason: String)], user: UserID) -> PostgresQuery {
        .byIndex(
            """
            UPDATE sync_intents AS i
            SET unknown_at = coalesce(i.unknown_at, now()), unknown_count = i.unknown_count + 1, reason = u.reason,
                resolution = nullif(i.resolution, 'retry')
            FROM unnest(\(notes.map(\.noteID)), \(notes.map(\.reason))) AS u (note_id, reason)
            WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = u.note_id
            """
        )
    }

    /// Takes away intents whose outcome is recorded.
    static func settleIntents(_ notes: [String], user: UserID) -> PostgresQuery {
        .byIndex(
            "DELETE FROM sync_intents WHERE user_id = \(user.rawValue) AND keep_note_id = ANY (\(notes))"
        )
    }

    /// Takes away intents whose last request has certainly not been carried out. What is certain of it says nothing of an
    /// earlier one: a create with an unknown outcome stays unknown, and keeps its key.
    static func withdrawIntents(_ notes: [String], user: UserID) -> PostgresQuery {
        .byIndex(
            """
            WITH withdrawn AS (
                DELETE FROM sync_intents
                WHERE user_id = \(user.rawValue) AND keep_note_id = ANY (\(notes))
                    AND (operation <> 'create' OR unknown_count = 0)
            )
            UPDATE sync_intents
            SET unknown_at = coalesce(unknown_at, now())
            WHERE user_id = \(user.rawValue) AND keep_note_id = ANY (\(notes))
                AND operation = 'create' AND unknown_count > 0
            """
        )
    }

    /// Finds the intents that a dead or paused worker left, and records each as unknown. By primary key.
    ///
    /// Each row: `keep_note_id`, `operation`.
    static func adoptOrphanedIntents(user: UserID, lease: Lease) -> PostgresQuery {
        .byIndex(
            """
            UPDATE sync_intents
            SET unknown_at = now(), unknown_count = unknown_count + 1, reason = 'The worker ended before the answer came.',
                resolution = nullif(resolution, 'retry')
            WHERE user_id = \(user.rawValue) AND lease <> \(lease.rawValue) AND unknown_at IS NULL
            RETURNING keep_note_id, operation
            """
        )
    }
}
