import Foundation
import Logging
import Postgres
import Support
import TestSupport
import Testing

@testable import JobQueue

/// However many records the database refuses: they hold up their own jobs alone.
@Suite(.timeLimit(.minutes(5)), .serialized)
struct ManyRefusedTests {
    private func ended(_ queue: QueueFixture, _ users: String) async throws -> Int {
        try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'completed' AND user_id LIKE \(users)")
    }

    /// Jobs that may not begin, as many of each user, and between them some of others, as if they had come one by one.
    private func insertRefused(_ queue: QueueFixture, users: Int, jobs: Int, others: Int) async throws {
        let total = users * jobs
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, run_at)
            SELECT gen_random_uuid(), 'bad-' || n / \(jobs), 'queued', now() - interval '1 hour' + n * interval '1 ms'
            FROM generate_series(0, \(total - 1)) AS n
            UNION ALL
            SELECT gen_random_uuid(), 'other-' || n, 'queued', now() - interval '1 hour' + \(total / others) * n * interval '1 ms'
            FROM generate_series(1, \(others)) AS n
            """,
            timeout: .none
        )
        try await queue.unparkAll()
        try await queue.pool.execute(
            "ALTER TABLE sync_jobs ADD CONSTRAINT x CHECK (NOT (user_id LIKE 'bad-%' AND status = 'running'))"
        )
    }

    @Test(arguments: [(1, 300), (1, 1050), (1, 20_000), (300, 1), (2000, 10)])
    func jobsThatMayNotBeginHoldUpNoOthers(users: Int, jobs: Int) async throws {
        let queue = try await QueueFixture()
        try await insertRefused(queue, users: users, jobs: jobs, others: 50)
        let log = LogLines()
        let logger = Logger(label: "test") { _ in LineLogHandler(lines: log) }
        try await queue.withWorker(slots: 16, poll: .seconds(2), logger: logger) {
            try await eventually(within: .seconds(60), "the end of the others' jobs") {
                try await ended(queue, "other-%") == 50
            }
            // Those that come later do not wait for another look through all that is refused.
            let began = ContinuousClock.now
            for number in 1...5 { try await queue.insert("later-\(number)") }
            try await eventually(within: .seconds(20), "the end of later jobs") {
                try await ended(queue, "later-%") == 5
            }
            #expect(ContinuousClock.now - began < .seconds(15))
        }
        #expect(try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'queued'") == users * jobs)
        let warnings = log.lines.filter { $0.hasPrefix("warning") }
        #expect(warnings.contains { $0.contains("does not let jobs begin") })
        #expect(warnings.count <= 20, "\(warnings.prefix(20))")
    }

    /// Where there are none but refused jobs, a worker tries few, and takes the first that can begin.
    @Test func aQueueOfRefusedJobsAloneIsTriedSeldom() async throws {
        let queue = try await QueueFixture()
        try await insertRefused(queue, users: 300, jobs: 1, others: 1)
        let log = LogLines()
        let logger = Logger(label: "test") { _ in LineLogHandler(lines: log) }
        try await queue.pool.execute("DELETE FROM sync_jobs WHERE user_id LIKE 'other-%'")
        try await queue.withWorker(poll: .milliseconds(300), logger: logger) {
            try await eventually(within: .seconds(20), "a claim that was refused") {
                log.lines.contains { $0.contains("Claiming jobs failed") }
            }
            let before = try await rollbacks(queue)
            try await Task.sleep(for: .seconds(5))
            #expect(try await rollbacks(queue) - before < 200)
            try await queue.insert("other-9")
            try await eventually(within: .seconds(30), "the job that can begin") {
                try await ended(queue, "other-%") == 1
            }
        }
        #expect(log.lines.filter { $0.hasPrefix("warning") }.count <= 5)
    }

    private func rollbacks(_ queue: QueueFixture) async throws -> Int {
        try await queue.count("SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()")
    }

    /// Results that are refused in all slots of a worker show whose fault it is by the jobs that wait.
    @Test(arguments: ["AB123", "42501", "23514"])
    func resultsThatMayNotBeRecordedHoldUpNoOthers(_ state: String) async throws {
        let queue = try await QueueFixture()
        try await queue.refuse("sync_jobs", "NEW.user_id LIKE 'bad-%' AND NEW.status <> 'running'", state: state)
        for number in 1...8 { try await queue.insert("bad-\(number)") }
        for number in 1...6 { try await queue.insert("other-\(number)") }
        try await queue.withWorker(poll: .milliseconds(300)) {
            try await eventually(within: .seconds(60), "the end of the others' jobs") {
                try await ended(queue, "other-%") == 6
            }
        }
    }

    /// In one round of the rescuer, which comes each half lease.
    @Test func jobsOfTheDeadThatMayNotComeBackHoldUpNoOthers() async throws {
        let queue = try await QueueFixture()
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, lease, worker)
            SELECT gen_random_uuid(), CASE WHEN n <= 350 THEN 'bad-' ELSE 'other-' END || n, 'running', n, 'gone'
            FROM generate_series(1, 352) AS n
            """
        )
        try await queue.pool.execute(
            """
            INSERT INTO sync_queue (job_id, user_id, priority, run_at, lease, lease_expires_at, is_renewed)
            SELECT job_id, user_id, priority, run_at, lease, now() - interval '1 second', true FROM sync_jobs
            """
        )
        try await queue.refuse("sync_jobs", "NEW.user_id LIKE 'bad-%' AND NEW.status <> 'running'")
        let log = LogLines()
        let rescuer = Rescuer(
            pool: queue.pool,
            configuration: queue.configuration(lease: .seconds(600)),
            logger: Logger(label: "test") { _ in LineLogHandler(lines: log) },
            wake: Wakeup(),
            dueTimes: DueTimes(),
            unparker: queue.unparker(),
            clock: DatabaseClock(lease: .seconds(600)),
            isSettled: { true },
            onFailure: { _ in }
        )
        let rescuing = Task { await rescuer.run() }
        try await eventually(within: .seconds(30), "the rescue of the others") {
            try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'queued'") == 2
        }
        rescuing.cancel()
        await rescuing.value
        #expect(log.lines.filter { $0.contains("does not let") }.count <= 3)
    }

    @Test func leasesThatMayNotBeRenewedCostNoOther() async throws {
        let queue = try await QueueFixture()
        try await queue.refuse("sync_queue", "NEW.user_id LIKE 'bad-%' AND NEW.is_renewed")
        for user in ["bad-1", "bad-2", "other-1", "bad-3", "other-2"] { try await queue.insert(user) }
        let mayEnd = StopSignal()
        let handler: JobHandler = { _ in
            await mayEnd.untilRequested()
            return .completed
        }
        try await queue.withWorker(slots: 5, lease: .seconds(6), handler: handler) {
            try await eventually(within: .seconds(30), "the renewal of the others' leases") {
                try await queue.count("SELECT count(*) FROM sync_queue WHERE user_id LIKE 'other-%' AND is_renewed")
                    == 2
            }
            // Longer than the lease that the claim gave.
            try await Task.sleep(for: .seconds(7))
            #expect(
                try await queue.count(
                    "SELECT count(*) FROM sync_jobs WHERE user_id LIKE 'other-%' AND lease IS NOT NULL"
                ) == 2
            )
            mayEnd.request()
            try await eventually(within: .seconds(20), "their end") { try await ended(queue, "other-%") == 2 }
        }
        #expect(try await queue.count("SELECT max(attempt) FROM sync_jobs WHERE user_id LIKE 'other-%'") == 1)
    }
}
