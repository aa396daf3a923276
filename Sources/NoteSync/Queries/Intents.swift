internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Commits to requests before they are sent. By the primary key of `sync_intents`.
    ///
    /// The row of a note is that of its latest request. It keeps the count of outcomes that are unknown, and what an operator
    /// said of it until the outcome is unknown once more. A request that it replaces and that nobody has heard out, as its time
    /// passed just now, counts as unknown: its row would be the only trace of a page it may have made.
    ///
    /// Only what is still as the decision found it is begun: the note's page, and its open request unless that is of the same run.
    /// An operator may have settled it meanwhile, or a late answer have made the page. A note that had neither is not looked up
    /// once more: only a request can make its page, and only the job's holder sends one.
    ///
    /// Each row: `request`, one that is begun.
    static func beginIntents(_ intents: [Intent], user: UserID, job: JobID, lease: Lease) -> PostgresQuery {
        let replaced = intents.compactMap(\.replaced?.rawValue)
        return .byIndex(
            """
            INSERT INTO sync_intents AS i (user_id, keep_note_id, operation, notion_page_id, idempotency_key, content_hash,
                keep_modified_at, job_id, lease, request, notion_database_id, open_until)
            SELECT \(user.rawValue), note_id, operation, page_id, key, hash, modified_at, \(job.rawValue), \(lease.rawValue),
                request, database_id, clock_timestamp() + make_interval(secs => open_for)
            FROM unnest(
                \(intents.map(\.noteID)), \(intents.map(\.operation.rawValue)), \(intents.map(\.pageID)),
                \(intents.map(\.idempotencyKey)), \(intents.map(\.hash.text)), \(intents.map(\.modifiedAt.date)),
                \(intents.map(\.request.rawValue)), \(intents.map(\.databaseID.text)), \(intents.map(\.openFor.seconds))
            ) AS new (note_id, operation, page_id, key, hash, modified_at, request, database_id, open_for)
            LEFT JOIN LATERAL (
                SELECT s.notion_page_id FROM sync_state AS s
                WHERE (page_id IS NOT NULL OR \(!replaced.isEmpty)) AND s.user_id = \(user.rawValue)
                    AND s.keep_note_id = new.note_id LIMIT 1
            ) AS known ON true
            WHERE known.notion_page_id = page_id OR operation = 'create' AND known.notion_page_id IS NULL
            ON CONFLICT (user_id, keep_note_id) DO UPDATE
            SET operation = excluded.operation, notion_page_id = excluded.notion_page_id,
                idempotency_key = excluded.idempotency_key, content_hash = excluded.content_hash,
                keep_modified_at = excluded.keep_modified_at, job_id = excluded.job_id, lease = excluded.lease,
                request = excluded.request, notion_database_id = excluded.notion_database_id,
                open_until = excluded.open_until, created_at = now(), unknown_at = NULL,
                unknown_count = CASE WHEN i.operation = excluded.operation
                    THEN i.unknown_count
                        + (i.unknown_at IS NULL AND i.request <> excluded.request)::int
                    ELSE 0 END,
                previous_request = CASE WHEN i.operation <> excluded.operation THEN 0
                    WHEN i.request <> excluded.request THEN i.request ELSE i.previous_request END,
                resolution = CASE WHEN i.operation = excluded.operation THEN i.resolution END,
                reason = CASE WHEN i.operation = excluded.operation THEN i.reason END
            WHERE i.lease = excluded.lease OR i.request = ANY (\(replaced))
            RETURNING request
            """
        )
    }

    /// Records that requests may or may not have been carried out. By primary key; the table holds open writes only.
    ///
    /// A request counts once, also if it was found to be unknown before its answer came.
    static func markUnknown(_ outcomes: [UnknownOutcome], user: UserID) -> PostgresQuery {
        .byIndex(
            """
            UPDATE sync_intents AS i
            SET open_until = NULL, unknown_at = coalesce(i.unknown_at, clock_timestamp()), reason = u.reason,
                unknown_count = i.unknown_count + (i.unknown_at IS NULL)::int,
                resolution = nullif(i.resolution, 'retry')
            FROM unnest(
                \(outcomes.map(\.noteID)), \(outcomes.map(\.request.rawValue)), \(outcomes.map(\.reason))
            ) AS u (note_id, request, reason)
            WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = u.note_id AND i.request = u.request
            """
        )
    }

    /// Takes away requests whose outcome is recorded. Where another has been sent for the note since, the row is that one's, and
    /// counts one unknown outcome less. By primary key.
    static func settleIntents(_ requests: [RequestReference], user: UserID) -> PostgresQuery {
        let notes = requests.map(\.noteID)
        let numbers = requests.map(\.request.rawValue)
        return .byIndex(
            """
            WITH removed AS (
                DELETE FROM sync_intents
                WHERE user_id = \(user.rawValue) AND keep_note_id = ANY (\(notes)) AND request = ANY (\(numbers))
                RETURNING keep_note_id
            )
            UPDATE sync_intents
            SET previous_request = 0, unknown_count = greatest(unknown_count - 1, 0)
            WHERE (SELECT count(*) FROM removed) < \(requests.count)
                AND user_id = \(user.rawValue) AND keep_note_id = ANY (\(notes)) AND previous_request = ANY (\(numbers))
                AND request <> ALL (\(numbers))
            """
        )
    }

    /// Takes away requests that have certainly not been carried out. What is certain of one says nothing of an earlier one: a
    /// write with an unknown outcome stays unknown, and a create keeps its key. The row is that one's again, so that its answer is
    /// known if it still comes, and so that this statement does nothing when it is run once more because its answer was lost.
    /// By primary key.
    static func withdrawIntents(_ requests: [RequestReference], user: UserID) -> PostgresQuery {
        let notes = requests.map(\.noteID)
        let numbers = requests.map(\.request.rawValue)
        return .byIndex(
            """
            WITH withdrawn AS (
                DELETE FROM sync_intents AS i
                USING unnest(\(notes), \(numbers)) AS w (note_id, request)
                WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = w.note_id AND i.request = w.request
                    AND i.unknown_count - (i.unknown_at IS NOT NULL)::int <= 0
            )
            UPDATE sync_intents AS i
            SET open_until = NULL, unknown_at = coalesce(i.unknown_at, clock_timestamp()),
                request = i.previous_request, previous_request = 0,
                unknown_count = i.unknown_count - (i.unknown_at IS NOT NULL)::int
            FROM unnest(\(notes), \(numbers)) AS w (note_id, request)
            WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = w.note_id AND i.request = w.request
                AND i.unknown_count - (i.unknown_at IS NOT NULL)::int > 0
            """
        )
    }

    /// Takes away writes whose outcome is unknown and no longer matters: creates whose note has got another page meanwhile (what
    /// they may have made is a surplus page, on record as `unknown`), and updates of a page that the replaced service has
    /// written since. By primary key.
    static func supersedeIntents(_ requests: [RequestReference], user: UserID) -> PostgresQuery {
        .byIndex(
            """
            WITH superseded AS (
                DELETE FROM sync_intents AS i
                USING unnest(\(requests.map(\.noteID)), \(requests.map(\.request.rawValue))) AS s (note_id, request)
                WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = s.note_id AND i.request = s.request
                    AND i.unknown_at IS NOT NULL
                RETURNING i.operation, i.keep_note_id, i.notion_database_id, i.idempotency_key, i.job_id
            )
            INSERT INTO sync_surplus_pages (user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key, job_id)
            SELECT \(user.rawValue), keep_note_id, 'unknown', coalesce(notion_database_id, ''), idempotency_key, job_id
            FROM superseded WHERE operation = 'create'
            ON CONFLICT DO NOTHING
            """
        )
    }

    /// Records what creates of unknown outcome may have made beside the pages that others have made since: a surplus page `unknown`,
    /// one for a note. Not where the answer of the earlier one has come meanwhile: the row then no longer counts it. To be run
    /// before the later ones are settled. By primary key.
    static func recordDoubtfulCreates(_ creates: [DoubtfulCreate], user: UserID, job: JobID) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_surplus_pages (user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key, job_id)
            SELECT \(user.rawValue), d.note_id, 'unknown', coalesce(d.database_id, i.notion_database_id, ''), d.key, \(job.rawValue)
            FROM unnest(
                \(creates.map(\.noteID)), \(creates.map(\.request.rawValue)), \(creates.map(\.idempotencyKey)),
                \(creates.map { $0.databaseID?.text })
            ) AS d (note_id, request, key, database_id)
            JOIN sync_intents AS i ON i.user_id = \(user.rawValue) AND i.keep_note_id = d.note_id AND i.request = d.request
            WHERE i.unknown_count - (i.unknown_at IS NOT NULL)::int > 0
            ON CONFLICT DO NOTHING
            """
        )
    }

    /// Finds requests that nobody hears out any more, and records each as unknown: its time has passed, or its lease ran out. A
    /// job that was cancelled, queued again or deleted says nothing of its worker, which hears out what it has sent.
    ///
    /// None in the first seconds of a server: workers that are alive have yet to record what they heard while it was away.
    ///
    /// Waits for nobody: what somebody has locked is found the next time, and the line in the log of a job whose record is locked
    /// is left out. One user's lock would hold up what is to be found of all others.
    ///
    /// - Parameter user: nil for all. Reads the whole table, which holds open writes only.
    ///
    /// Each row: `user_id`, `keep_note_id`, `operation`, `job_id`.
    static func markAbandonedIntents(
        user: UserID?,
        recordingGrace: Duration
    ) -> PostgresQuery {
        """
        WITH found AS MATERIALIZED (
            SELECT i.user_id, i.keep_note_id FROM sync_intents AS i
            WHERE i.unknown_at IS NULL AND (\(user?.rawValue)::text IS NULL OR i.user_id = \(user?.rawValue))
                AND pg_postmaster_start_time() < clock_timestamp() - \(recordingGrace.seconds) * interval '1 second'
                AND (coalesce(i.open_until <= clock_timestamp(), true)
                    OR EXISTS (SELECT FROM sync_jobs AS j
                               WHERE j.job_id = i.job_id AND j.rescued_lease = i.lease))
            FOR NO KEY UPDATE OF i SKIP LOCKED
        ), abandoned AS (
            UPDATE sync_intents AS i
            SET unknown_at = clock_timestamp(), unknown_count = i.unknown_count + 1, reason = 'The worker ended before the answer came.',
                resolution = nullif(i.resolution, 'retry')
            FROM found AS f
            WHERE i.user_id = f.user_id AND i.keep_note_id = f.keep_note_id AND i.unknown_at IS NULL
            RETURNING i.user_id, i.keep_note_id, i.operation, i.job_id
        ), logged AS (
            INSERT INTO sync_logs (job_id, keep_note_id, level, message)
            SELECT a.job_id, a.keep_note_id, 'WARNING',
                'Unknown ' || a.operation || ': its worker ended before the answer came. The page may or may not have been written.'
            FROM abandoned AS a
            JOIN LATERAL (SELECT FROM sync_jobs AS j WHERE j.job_id = a.job_id FOR KEY SHARE SKIP LOCKED) AS kept ON true
        )
        SELECT user_id, keep_note_id, operation, job_id FROM abandoned
        """
    }
}
