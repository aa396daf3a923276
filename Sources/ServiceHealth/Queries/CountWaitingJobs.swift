package import Foundation
package import Postgres

/// What waits, by what it waits for. Counts end at ``countLimit`` and one, those behind gates at
/// ``QueueDepth/countLimit`` and one.
package struct WaitingJobs: Sendable {
    /// Parked behind a running job of the same user.
    package var behindRunning = 0
    /// Of what is paused.
    package var ofPaused = 0
    /// Due later, not having been tried.
    package var later = 0
    /// Tried again after a fault, or put off for one.
    package var retrying = 0
    /// When the first of those is tried again.
    package var nextRetry: Date?
    /// Put off for the gate of a whole peer, by its name.
    package var behindPeers: [String: Int] = [:]
    /// Put off for the gate of one token, account or workspace.
    package var behindOthers = 0

    package static let countLimit = 1000

    package static func text(_ count: Int) -> String {
        count == countLimit + 1 ? "more than 1,000" : QueueDepth.text(count)
    }

    /// What waits, clause by clause; nothing of what nothing waits for.
    func clauses(_ depth: QueueDepth, _ times: SentenceTime) -> [String] {
        let retried = nextRetry.map { ", the first at \(times.text($0))" } ?? ""
        let all: [(count: Int, text: String, one: String, many: String)] = [
            (depth.running, QueueDepth.text(depth.running), "runs", "run"),
            (depth.due, QueueDepth.text(depth.due), "is due", "are due"),
            (
                behindRunning, Self.text(behindRunning), "waits behind a running job of its user",
                "wait behind running jobs of their users"
            ),
            (later, Self.text(later), "is due later", "are due later"),
            (
                retrying, Self.text(retrying), "is tried again after a fault\(retried)",
                "are tried again after a fault\(retried)"
            ),
            (ofPaused, Self.text(ofPaused), "is paused", "are paused"),
            (
                behindOthers, QueueDepth.text(behindOthers), "waits for the limit of a token or account",
                "wait for the limits of tokens or accounts"
            ),
        ]
        return all.filter { $0.count > 0 }.map { "\($0.text) \($0.count == 1 ? $0.one : $0.many)" }
    }
}

extension PostgresQuery {
    /// Counts queued jobs that are not due or not to be claimed by what keeps them, each up to
    /// ``WaitingJobs/countLimit`` and one. By the partial indexes `sync_queue_parked`, `sync_queue_claim`, of each
    /// priority, and `sync_queue_running`; records by `sync_jobs_pkey`, pauses by primary key.
    ///
    /// One row: `behind`, `paused`, `later`, `retrying`, `next_retry`.
    package static func countWaitingJobs() -> PostgresQuery {
        let most = WaitingJobs.countLimit + 1
        let sql = """
            WITH RECURSIVE level AS (
                (SELECT priority FROM sync_queue WHERE lease IS NULL AND NOT is_parked
                 ORDER BY priority, run_at, job_id LIMIT 1)
                UNION ALL
                SELECT (SELECT q.priority FROM sync_queue AS q
                        WHERE q.lease IS NULL AND NOT q.is_parked AND q.priority > l.priority
                        ORDER BY q.priority, q.run_at, q.job_id LIMIT 1)
                FROM level AS l WHERE l.priority IS NOT NULL
            ), priority AS MATERIALIZED (
                SELECT priority FROM level WHERE priority IS NOT NULL LIMIT 1000
            ), pauses AS MATERIALIZED (
                \(PausedJobs.overview)
            ), parked AS MATERIALIZED (
                SELECT user_id, is_forced FROM sync_queue WHERE is_parked LIMIT \(most)
            ), due AS MATERIALIZED (
                SELECT q.user_id, q.is_forced FROM priority AS p CROSS JOIN LATERAL (
                    SELECT s.user_id, s.is_forced FROM sync_queue AS s
                    WHERE s.lease IS NULL AND NOT s.is_parked AND s.priority = p.priority AND s.run_at <= now()
                        AND (SELECT is_all OR are_users FROM pauses)
                    ORDER BY s.run_at, s.job_id LIMIT \(most)) AS q
                LIMIT \(most)
            ), later AS MATERIALIZED (
                SELECT q.job_id, q.run_at, q.snoozed_since FROM priority AS p CROSS JOIN LATERAL (
                    SELECT s.job_id, s.run_at, s.snoozed_since, s.gate FROM sync_queue AS s
                    WHERE s.lease IS NULL AND NOT s.is_parked AND s.priority = p.priority AND s.run_at > now()
                    ORDER BY s.run_at, s.job_id LIMIT \(most)) AS q
                WHERE q.gate IS NULL
                LIMIT \(most)
            ), tried AS MATERIALIZED (
                SELECT l.run_at, l.snoozed_since IS NOT NULL OR j.attempt > 0 OR j.crashes > 0 AS is_retry
                FROM later AS l CROSS JOIN LATERAL (
                    SELECT attempt, crashes FROM sync_jobs AS j WHERE j.job_id = l.job_id LIMIT 1) AS j
            )
            SELECT
                (SELECT count(*) FROM parked AS q
                 WHERE (SELECT true FROM sync_queue AS r WHERE r.user_id = q.user_id AND r.lease IS NOT NULL LIMIT 1)) AS behind,
                (SELECT count(*) FROM (
                    SELECT FROM (SELECT user_id, is_forced FROM parked UNION ALL SELECT user_id, is_forced FROM due) AS q
                    WHERE NOT q.is_forced AND ((SELECT is_all FROM pauses) OR \(PausedJobs.isOfPausedUser))
                    LIMIT \(most)) AS q) AS paused,
                (SELECT count(*) FROM tried WHERE NOT is_retry) AS later,
                (SELECT count(*) FROM tried WHERE is_retry) AS retrying,
                (SELECT min(run_at) FROM tried WHERE is_retry) AS next_retry
            """
        return .byIndex(PostgresQuery(stringLiteral: sql))
    }

    /// Counts the jobs that have been put off for gates and are not due yet, up to ``QueueDepth/countLimit`` and one.
    /// By `sync_queue_snoozed`.
    ///
    /// Each row: `peer`; `is_of_all`, whether the gate is that of all its calls; `jobs`.
    package static func countJobsBehindGates() -> PostgresQuery {
        .byIndex(
            """
            SELECT split_part(gate, '/', 1) AS peer, strpos(gate, '/') = 0 AS is_of_all, count(*) AS jobs
            FROM (
                SELECT gate FROM sync_queue
                WHERE snoozed_since IS NOT NULL AND lease IS NULL AND gate IS NOT NULL AND run_at > clock_timestamp()
                LIMIT \(QueueDepth.countLimit + 1)) AS q
            GROUP BY 1, 2
            """
        )
    }
}

extension PostgresPool {
    package func waitingJobs() async throws -> WaitingJobs {
        let rows = try await batch([.countWaitingJobs(), .countJobsBehindGates()])
        var jobs = WaitingJobs()
        if let row = rows[0].first {
            jobs.behindRunning = try row.decode("behind")
            jobs.ofPaused = try row.decode("paused")
            jobs.later = try row.decode("later")
            jobs.retrying = try row.decode("retrying")
            jobs.nextRetry = try row.decode("next_retry")
        }
        for row in rows[1] {
            let count: Int = try row.decode("jobs")
            if try row.decode("is_of_all") {
                jobs.behindPeers[try row.decode("peer"), default: 0] += count
            } else {
                jobs.behindOthers += count
            }
        }
        return jobs
    }
}
