import Foundation
import Postgres
import TestSupport
import Testing

@testable import JobQueue

/// Values at the ends of their types, as rows have them that were there before the bounds, or came in while triggers
/// were off: they disturb no job, not even their own.
@Suite(.timeLimit(.minutes(1)))
struct ExtremeValueTests {
    private static let due = [
        "-infinity", "4714-11-24 00:00:00+00 BC", "0001-01-01", "1700-01-01 00:00:00.000001+00", "1969-12-31",
        "2020-01-01",
    ]
    private static let later = ["2300-01-01", "294276-12-31 23:59:59.999999+00", "infinity"]

    /// A job for each due time and priority.
    private func insertTimes(_ queue: QueueFixture) async throws -> Int {
        try await queue.liftBounds()
        for time in Self.due + Self.later {
            for priority in [Int16.min, 0, .max] {
                try await queue.pool.execute(
                    """
                    INSERT INTO sync_jobs (job_id, user_id, status, run_at, priority)
                    VALUES (gen_random_uuid(), \("\(time) \(priority)"), 'queued', \(time)::text::timestamptz, \(priority))
                    """
                )
            }
        }
        return Self.due.count * 3
    }

    private func expire(_ queue: QueueFixture) async throws {
        try await queue.pool.execute("UPDATE sync_queue SET lease_expires_at = '-infinity' WHERE lease IS NOT NULL")
    }

    @Test(arguments: [1, 4, 100]) func everyTimeIsDueOrNotAndDisturbsNoOther(_ slots: Int) async throws {
        let queue = try await QueueFixture()
        let count = try await insertTimes(queue)
        // One claimer, which goes on from where each claim has ended.
        let claimer = queue.claimer()
        var users: [String] = []
        while case let jobs = try await claimer.claim(slots).jobs, !jobs.isEmpty {
            users += jobs.map(\.job.userID.rawValue)
        }
        #expect(users.count == count)
        #expect(Set(users).count == count)
        #expect(!users.contains { user in Self.later.contains { user.hasPrefix($0) } })
        if slots == 1 {
            let expected = [Int16.min, 0, .max].flatMap { priority in Self.due.map { "\($0) \(priority)" } }
            #expect(users == expected, "by priority, then time")
        }
        #expect(try await queue.client.disagreements().isEmpty)
    }

    @Test func everyTimeIsFinishedRescuedAndClaimedAgain() async throws {
        let queue = try await QueueFixture()
        let count = try await insertTimes(queue)
        let first = try await queue.claim(100)
        #expect(first.count == count)
        try await expire(queue)
        #expect(try await queue.pool.query(.rescue(limit: 100)).count == count)
        try await queue.pool.execute(
            "UPDATE sync_jobs SET run_at = '-infinity' WHERE status = 'queued' AND crashes > 0"
        )
        let second = try await queue.claim(100)
        #expect(second.count == count)
        for (number, job) in second.enumerated() {
            let outcomes: [JobOutcome] = [
                .released(.stopping), .completed, .retry(error: "x", notBefore: nil), .failed(error: "x"),
            ]
            let status = try await queue.finish(job, outcomes[number % 4])
            #expect(status == [["queued", "completed", "queued", "failed"][number % 4]])
        }
        #expect(try await queue.client.disagreements().isEmpty)
    }

    @Test(
        arguments: ["attempt", "max_attempts", "crashes", "max_crashes"],
        [Int32.min, .min + 1, 0, 1999, .max - 1, .max]
    )
    func noCountOverflows(_ column: String, _ value: Int32) async throws {
        let queue = try await QueueFixture()
        func set() async throws {
            let others = column == "crashes" ? ", max_crashes = 2147483647" : ""
            try await queue.pool.withConnection { connection in
                try await connection.runScript(
                    """
                    BEGIN; SET LOCAL session_replication_role = replica; UPDATE sync_jobs SET \(column) = \(value)\(others); COMMIT
                    """
                )
            }
        }
        let id = try await queue.insert("ada")
        let outcomes: [JobOutcome] = [
            .released(.stopping), .retry(error: "x", notBefore: nil), .snoozed(for: .zero, reason: "x"),
            .failed(error: "x"),
        ]
        for outcome in outcomes {
            try await queue.client.retry(id)
            try await set()
            let job = try #require(try await queue.claim().first)
            try await set()
            #expect(try await queue.finish(job, outcome).count == 1)
        }
        try await queue.client.retry(id)
        #expect(try await queue.claim().count == 1)
        try await set()
        try await expire(queue)
        #expect(try await queue.pool.query(.rescue(limit: 100)).count == 1)
        _ = try await queue.job(id)
        #expect(try await queue.client.disagreements().isEmpty)
    }

    @Test func pruningGoesOnBehindEveryTimeOfCreation() async throws {
        let queue = try await QueueFixture()
        try await queue.liftBounds()
        for time in Self.due {
            try await queue.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, created_at, completed_at)
                SELECT gen_random_uuid(), 'ada', 'completed', \(time)::text::timestamp, \(time)::text::timestamp
                FROM generate_series(1, 2)
                """
            )
        }
        var position: JobCursor?
        var jobs = 0
        for _ in 1...2 * Self.due.count {
            // Each job is the last one of a walk.
            let row = try #require(
                try await queue.pool.query(
                    .prune(
                        retention: .seconds(86400),
                        keepsTakenOver: false,
                        after: position,
                        batch: PruneBatch(jobs: 1)
                    )
                ).first
            )
            jobs += try row.decode("jobs", as: Int.self)
            let createdAt: PostgresInstant = try row.decode("last_created_at")
            position = JobCursor(
                microseconds: createdAt.microseconds,
                id: JobID(try row.decode("last_job_id", as: UUID.self))
            )
        }
        #expect(jobs == 2 * Self.due.count)
        #expect(try await queue.count("SELECT count(*) FROM sync_jobs") == 0)
    }

    @Test func aListIsReadToItsEndWhateverTheTimes() async throws {
        let queue = try await QueueFixture()
        try await queue.liftBounds()
        for time in Self.due + ["2300-01-01 00:00:00.000001+00", "infinity"] {
            try await queue.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, created_at, completed_at, started_at)
                SELECT gen_random_uuid(), 'ada', 'completed', \(time)::text::timestamp, '-infinity', 'infinity'
                FROM generate_series(1, 3)
                """
            )
        }
        for filter in [nil, JobStatus.completed] {
            var found: [JobRecord] = []
            var cursor: JobCursor?
            repeat {
                let page = try await queue.client.page(status: filter, after: cursor, limit: 2)
                found += page.jobs
                cursor = page.next
            } while cursor != nil && found.count < 100
            #expect(found.count == 3 * (Self.due.count + 2))
            #expect(Set(found.map(\.id)).count == found.count)
        }
    }

    @Test func aWorkerSeenAtNoTimeIsListed() async throws {
        let queue = try await QueueFixture()
        try await queue.pool.execute(
            """
            INSERT INTO sync_workers (instance, worker, slots, version, started_at, last_seen_at)
            VALUES (gen_random_uuid(), 'a', 1, '1', '-infinity', '-infinity'), (gen_random_uuid(), 'b', 2147483647, '1', 'infinity', 'infinity')
            """
        )
        #expect(try await queue.client.workers().map(\.name) == ["a", "b"])
        try await queue.insert("ada")
        #expect(try await queue.claim().count == 1)
    }
}
