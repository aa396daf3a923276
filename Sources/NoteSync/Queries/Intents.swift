internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Locks the rows of notes until the transaction ends. By the primary key of `sync_intents`.
    ///
    /// What becomes of two requests of a note may be recorded at the same time: the late answer of one while another is
    /// begun or taken back. Each moves requests between the tables, and a statement that has begun to wait reads on
    /// what was there before. So whoever may meet another waits here, and reads afterwards.
    static func lockIntents(_ notes: [String], user: UserID) -> PostgresQuery {
        .byIndexGivingWay(
            """
            SELECT FROM sync_intents WHERE user_id = \(user.rawValue) AND keep_note_id = ANY (\(notes)) FOR NO KEY UPDATE
            """
        )
    }

    /// Commits to requests before they are sent. By the primary key of `sync_intents`.
    ///
    /// The row of a note is that of its latest request. It keeps the count of outcomes that are unknown, and what an
    /// operator said of it until the outcome is unknown once more; none of that where the request is for another
    /// database than the one before, which may have made a surplus page. A request that it replaces and that nobody has
    /// heard out, as its time passed just now, counts as unknown. A trigger leaves what is replaced in
    /// `sync_unheard_requests`.
    ///
    /// Only what is still as the decision found it is begun: the note's page, and its open request unless that is of
    /// the same run. An operator may have settled it meanwhile, or a late answer have made the page. A note that had
    /// neither is not looked up once more: only a request can make its page, and only the job's holder sends one.
    ///
    /// Each row: `request`, one that is begun.
    static func beginIntents(_ intents: [Intent], user: UserID, job: JobID, lease: Lease) -> PostgresQuery {
        let replaced = intents.compactMap(\.replaced?.rawValue)
        return .byIndexGivingWay(
            """
            INSERT INTO sync_intents AS i (user_id, keep_note_id, operation, notion_page_id, idempotency_key, content_hash,
                keep_modified_at, job_id, lease, request, notion_database_id, was_trial, open_until)
            SELECT \(user.rawValue), note_id, operation, page_id, key, hash, modified_at, \(job.rawValue), \(lease.rawValue),
                request, database_id, is_trial, clock_timestamp() + make_interval(secs => open_for)
            FROM unnest(
                \(intents.map(\.noteID)), \(intents.map(\.operation.rawValue)), \(intents.map(\.pageID)),
                \(intents.map(\.idempotencyKey)), \(intents.map(\.hash.text)), \(intents.map(\.modifiedAt.date)),
                \(intents.map(\.request.rawValue)), \(intents.map(\.databaseID.text)), \(intents.map(\.isTrial)), \(intents.map(\.openFor.seconds))
            ) AS new (note_id, operation, page_id, key, hash, modified_at, request, database_id, is_trial, open_for)
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
                        AND (i.notion_database_id <> excluded.notion_database_id) IS NOT TRUE
                    THEN least(i.unknown_count, 2147483646)
                        + (i.unknown_at IS NULL AND i.request <> excluded.request)::int
                    ELSE 0 END,
                was_trial = excluded.was_trial OR i.was_trial AND i.operation = excluded.operation
                    AND (i.notion_database_id <> excluded.notion_database_id) IS NOT TRUE,
                was_outage = i.was_outage AND i.operation = excluded.operation
                    AND (i.notion_database_id <> excluded.notion_database_id) IS NOT TRUE,
                resolution = CASE WHEN i.operation = excluded.operation
                        AND (i.notion_database_id <> excluded.notion_database_id) IS NOT TRUE
                    THEN i.resolution END,
                reason = CASE WHEN i.operation = excluded.operation
                        AND (i.notion_database_id <> excluded.notion_database_id) IS NOT TRUE
                    THEN i.reason END
            WHERE i.lease = excluded.lease OR i.request = ANY (\(replaced))
            RETURNING request
            """
        )
    }

    /// Records that requests may or may not have been carried out. By primary key; the table holds open writes only.
    ///
    /// A request counts once, also if it was found to be unknown before its answer came.
    static func markUnknown(_ outcomes: [UnknownOutcome], user: UserID) -> PostgresQuery {
        .byIndexGivingWay(
            """
            UPDATE sync_intents AS i
            SET open_until = NULL, unknown_at = coalesce(i.unknown_at, clock_timestamp()), reason = u.reason,
                unknown_count = least(i.unknown_count, 2147483646) + (i.unknown_at IS NULL)::int,
                resolution = nullif(i.resolution, 'retry')
            FROM unnest(
                \(outcomes.map(\.noteID)), \(outcomes.map(\.request.rawValue)), \(outcomes.map(\.reason))
            ) AS u (note_id, request, reason)
            WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = u.note_id AND i.request = u.request
            """
        )
    }

    /// Spares a run's writes of unknown outcome that an outage met: the writer was found out of order for all. By the
    /// primary key of `sync_intents`. Rows that somebody has locked count as before.
    static func spareUnknownWrites(user: UserID, lease: Lease) -> PostgresQuery {
        .byIndex(
            """
            WITH met AS MATERIALIZED (
                SELECT user_id, keep_note_id FROM sync_intents
                WHERE user_id = \(user.rawValue) AND lease = \(lease.rawValue) AND NOT was_outage
                    AND unknown_at > clock_timestamp() - interval '2 minutes'
                FOR NO KEY UPDATE SKIP LOCKED
            )
            UPDATE sync_intents AS i SET was_outage = true FROM met AS m
            WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = m.keep_note_id AND i.unknown_at IS NOT NULL
            """
        )
    }

    /// Finds requests of which nothing is on record though their time has passed or their lease ran out, and records
    /// each as unknown. Their worker may be alive and cut off. A job that was cancelled, queued again or deleted says
    /// nothing of its worker, which hears out what it has sent.
    ///
    /// Nor those whose lease is held: who holds it records what it has heard, and may first find out whether the peer
    /// is well, for longer than the request could take. Found here meanwhile, the outcome would be told and counted
    /// twice.
    ///
    /// None in the first seconds of a server: workers that are alive have yet to record what they heard while it was
    /// away.
    ///
    /// Waits for nobody: what somebody has locked is found the next time, and the line in the log of a job whose record
    /// is locked is left out. One user's lock would hold up what is to be found of all others.
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
                        AND NOT EXISTS (SELECT FROM sync_queue AS q
                                        WHERE q.user_id = i.user_id AND q.lease = i.lease AND q.lease_expires_at > clock_timestamp())
                    OR EXISTS (SELECT FROM sync_jobs AS j
                               WHERE j.job_id = i.job_id AND j.rescued_lease = i.lease))
            FOR NO KEY UPDATE OF i SKIP LOCKED
        ), abandoned AS (
            UPDATE sync_intents AS i
            SET unknown_at = clock_timestamp(), unknown_count = least(i.unknown_count, 2147483646) + 1, resolution = nullif(i.resolution, 'retry'),
                reason = 'No answer was on record when its worker''s lease or its own time was over.'
            FROM found AS f
            WHERE i.user_id = f.user_id AND i.keep_note_id = f.keep_note_id AND i.unknown_at IS NULL
            RETURNING i.user_id, i.keep_note_id, i.operation, i.job_id
        ), logged AS MATERIALIZED (
            SELECT sync_try_log(a.job_id, a.keep_note_id, 'WARNING',
                'Unknown ' || a.operation || ': no answer was on record when its worker''s lease or its own time was over. '
                || 'The page may or may not have been written; should the answer still come, a line here says so.')
            FROM abandoned AS a
            JOIN LATERAL (SELECT FROM sync_jobs AS j WHERE j.job_id = a.job_id FOR KEY SHARE SKIP LOCKED) AS kept ON true
        )
        SELECT user_id, keep_note_id, operation, job_id FROM abandoned WHERE (SELECT count(*) FROM logged) >= 0
        """
    }
}
