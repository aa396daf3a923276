import Foundation
import Postgres
import Testing

@testable import JobQueue

/// What an operator may do with plain SQL at any moment, and what pruning takes.
@Suite struct OperatorTests {
    @Test func cancellingAQueuedJobKeepsItFromRunning() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        try await queue.pool.execute("UPDATE sync_jobs SET status = 'cancelled'")
        #expect(try await queue.job(id).completedAt != nil)
        #expect(try await queue.claim().isEmpty)
    }

    @Test func cancellingARunningJobTakesItsLease() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        let next = try await queue.insert("ada")
        let job = try #require(try await queue.claim(2).first)
        try await queue.pool.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE status = 'running'")
        #expect(try await queue.finish(job, .completed).isEmpty)
        #expect(try await queue.job(id).status == .cancelled)
        // The user's next job is not kept waiting.
        #expect(try await queue.claim().map(\.id) == [next])
    }

    @Test func queuingAFailedJobGivesItNewBudgets() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        let job = try #require(try await queue.claim().first)
        _ = try await queue.finish(job, .failed(error: "x"))
        try await queue.pool.execute("UPDATE sync_jobs SET crashes = 3, attempt = 5")
        try await queue.pool.execute("UPDATE sync_jobs SET status = 'queued'")
        let row = try await queue.job(id)
        #expect(row.attempt == 0)
        #expect(row.crashes == 0)
        #expect(row.completedAt == nil)
        #expect(row.errorMessage == nil)
        #expect(try await queue.claim().map(\.id) == [id])
    }

    @Test func queuingARunningJobTakesItFromItsWorker() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        let first = try #require(try await queue.claim().first)
        try await queue.pool.execute("UPDATE sync_jobs SET status = 'queued'")
        let second = try #require(try await queue.claim(worker: "w2").first)
        #expect(second.id == id)
        #expect(try await queue.finish(first, .completed).isEmpty)
        #expect(try await queue.finish(second, .completed) == ["completed"])
    }

    @Test func deletingARunningJobFreesItsUser() async throws {
        let queue = try await QueueFixture()
        try await queue.insert("ada")
        let second = try await queue.insert("ada")
        let job = try #require(try await queue.claim(2).first)
        try await queue.pool.execute("DELETE FROM sync_jobs WHERE job_id = \(job.id.rawValue)")
        #expect(try await queue.claim().map(\.id) == [second])
    }

    @Test func theClientSaysWhyItRefuses() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        await #expect { try await queue.client.cancel(JobID()) } throws: {
            ($0 as? JobQueueError)?.code == .jobNotFound
        }
        try await queue.client.cancel(id)
        await #expect { try await queue.client.cancel(id) } throws: { ($0 as? JobQueueError)?.code == .wrongStatus }
        try await queue.client.retry(id)
        _ = try await queue.claim()
        await #expect { try await queue.client.retry(id) } throws: { ($0 as? JobQueueError)?.code == .wrongStatus }
    }

    @Test func pruningTakesOldFinishedJobsWithTheirLogs() async throws {
        let queue = try await QueueFixture()
        let old = try await queue.insert("ada")
        let recent = try await queue.insert("bob")
        let waiting = try await queue.insert("eve")
        for job in try await queue.claim(2) { _ = try await queue.finish(job, .failed(error: "x")) }
        try await queue.pool.execute(
            """
            UPDATE sync_jobs SET completed_at = timezone('utc', now()) - interval '31 days',
                created_at = timezone('utc', now()) - interval '32 days'
            WHERE job_id = \(old.rawValue)
            """
        )
        try await queue.pool.execute(
            "UPDATE sync_jobs SET created_at = timezone('utc', now()) - interval '99 days' WHERE job_id = \(waiting.rawValue)"
        )
        let pruned = try await prune(queue)
        #expect(pruned == (1, 1))
        #expect(try await queue.client.job(old) == nil)
        #expect(try await queue.client.job(recent) != nil)
        #expect(try await queue.client.job(waiting) != nil)
        #expect(try await queue.client.logs(of: recent).count == 1)
    }

    /// Jobs that ended before a take-over are history of somebody else, and go only when somebody has said how long
    /// they stay.
    @Test func pruningKeepsWhatEndedBeforeATakeOver() async throws {
        let queue = try await QueueFixture()
        let history = try await queue.insert("ada")
        let own = try await queue.insert("bob")
        for job in try await queue.claim(2) { _ = try await queue.finish(job, .failed(error: "x")) }
        for (id, days) in [(history, 900), (own, 31)] {
            try await queue.pool.execute(
                """
                UPDATE sync_jobs SET completed_at = timezone('utc', now()) - \(days) * interval '1 day',
                    created_at = timezone('utc', now()) - (\(days) + 0.5) * interval '1 day'
                WHERE job_id = \(id.rawValue)
                """
            )
        }
        try await queue.pool.execute(
            """
            INSERT INTO sync_takeovers (history_until, jobs, states, credentials, logs, failed_queued, failed_running, requeued, queued)
            SELECT timezone('utc', now()) - days * interval '1 day', 1, 0, 0, 0, 0, 0, 0, 0 FROM unnest(ARRAY[60, 90]) AS days
            """
        )
        #expect(try await prune(queue) == (1, 1))
        #expect(try await queue.client.job(history) != nil)
        #expect(try await queue.client.job(own) == nil)
        #expect(try await prune(queue, keepsTakenOver: false) == (1, 1))
        #expect(try await queue.client.job(history) == nil)
    }

    private func prune(_ queue: QueueFixture, keepsTakenOver: Bool = true) async throws -> (jobs: Int, logs: Int) {
        let query = PostgresQuery.prune(
            retention: .seconds(30 * 86400),
            keepsTakenOver: keepsTakenOver,
            after: nil,
            batch: PruneBatch(jobs: 10)
        )
        let row = try #require(try await queue.pool.query(query).first)
        return (try row.decode("jobs"), try row.decode("lines"))
    }

    /// A page ends after so many jobs read, not after so many found.
    @Test func aStatusThatFewHaveIsFoundPageByPage() async throws {
        let queue = try await QueueFixture()
        let oldest = try await queue.insert("ada")
        try await queue.pool.execute("UPDATE sync_jobs SET created_at = '2020-01-01'")
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, created_at, completed_at)
            SELECT gen_random_uuid(), 'ada', 'completed', '2026-01-01', now() FROM generate_series(1, 12000)
            """
        )
        for user in [nil, UserID("ada")] {
            var found: [JobRecord] = []
            var cursor: JobCursor?
            var pages = 0
            repeat {
                let page = try await queue.client.page(user: user, status: .queued, after: cursor, limit: 5)
                found += page.jobs
                cursor = page.next
                pages += 1
            } while cursor != nil && pages < 10
            #expect(found.map(\.id) == [oldest])
            #expect(pages == 3)
            #expect(try await queue.client.jobs(user: user, status: .queued, limit: 5).map(\.id) == [oldest])
            #expect(try await queue.client.jobs(user: user, status: .failed, limit: 5).isEmpty)
        }
    }
}
