import Foundation
import Postgres
import Support
import TestSupport
import Testing

@testable import JobQueue

/// Plain SQL of every kind on `sync_jobs` reaches the queue, and disturbs no other job.
@Suite(.timeLimit(.minutes(10)))
struct OutsideSQLTests {
    private func open(_ queue: QueueFixture) async throws -> Int {
        #expect(try await queue.client.disagreements().isEmpty)
        return try await queue.count("SELECT count(*) FROM sync_queue")
    }

    @Test func insertsOfOneAndOfManyRows() async throws {
        let queue = try await QueueFixture()
        try await queue.insert("one")
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status)
            SELECT gen_random_uuid(), 'user' || n, CASE WHEN n % 10 = 0 THEN 'completed' ELSE 'queued' END
            FROM generate_series(1, 10000) AS n
            """
        )
        #expect(try await open(queue) == 9001)
    }

    /// What a job was put off for is forgotten only by whoever changes when it is due.
    @Test func aJobThatIsPutOffGoesOnWaiting() async throws {
        let queue = try await QueueFixture()
        try await queue.insert("anna")
        let job = try #require(try await queue.claim().first)
        let closed = JobOutcome.snoozed(for: .seconds(600), reason: "closed", gate: "g1")
        #expect(try await queue.finish(job, closed) == ["queued"])
        func waiting() async throws -> Int {
            try await queue.count("SELECT count(*) FROM sync_queue WHERE gate = 'g1' AND snoozed_since IS NOT NULL")
        }
        for parked in [false, true] {
            try await queue.pool.execute("UPDATE sync_queue SET is_parked = \(parked)")
            for change in ["priority = priority + 1", "is_forced = NOT is_forced"] {
                try await queue.pool.execute(PostgresQuery(stringLiteral: "UPDATE sync_jobs SET \(change)"))
                #expect(try await waiting() == 1, "\(change)")
                #expect(try await open(queue) == 1)
            }
        }
        for change in ["user_id = 'bob'", "run_at = now()"] {
            try await queue.pool.execute("UPDATE sync_queue SET gate = 'g1', snoozed_since = now()")
            try await queue.pool.execute(PostgresQuery(stringLiteral: "UPDATE sync_jobs SET \(change)"))
            #expect(try await waiting() == 0, "\(change)")
            #expect(try await open(queue) == 1)
        }
    }

    /// A flood that comes at once stands in nobody's way, and whatever becomes of its first job, the next takes its
    /// place.
    @Test func ofManyThatComeAtOnceOneOfEachUserIsAhead() async throws {
        let queue = try await QueueFixture()
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, priority, run_at)
            SELECT gen_random_uuid(), CASE WHEN n = 300 THEN 'other' ELSE 'many' END, 'queued', 5 - n % 3,
                CASE WHEN n % 50 = 0 AND n < 300 THEN now() + interval '1 hour' ELSE now() - interval '1 minute' END
            FROM generate_series(1, 300) AS n
            """
        )
        let ahead = "user_id = 'many' AND lease IS NULL AND NOT is_parked AND run_at <= now()"
        func first() async throws -> [String] {
            try await queue.pool.query(
                PostgresQuery(
                    stringLiteral: "SELECT job_id::text || ' ' || priority AS job FROM sync_queue WHERE \(ahead)"
                )
            ).map { try $0.decode("job") }
        }
        #expect(try await first().map { $0.suffix(2) } == [" 3"])
        #expect(try await queue.count("SELECT count(*) FROM sync_queue WHERE NOT is_parked AND run_at > now()") == 5)
        for statement in [
            "UPDATE sync_jobs SET status = 'cancelled'", "DELETE FROM sync_jobs",
            "UPDATE sync_jobs SET run_at = now() + interval '1 day'", "UPDATE sync_jobs SET user_id = 'another'",
        ] {
            let before = try await first()
            try await queue.pool.execute(
                PostgresQuery(
                    stringLiteral: "\(statement) WHERE job_id = (SELECT job_id FROM sync_queue WHERE \(ahead))"
                )
            )
            let after = try await first()
            #expect(after.count == 1 && after != before, "\(statement)")
        }
        let jobs = try await queue.claim(10)
        #expect(Set(jobs.map(\.userID.rawValue)) == ["many", "other", "another"])
        for _ in 1...3 {
            let job = try #require(try await queue.claim(10).first ?? jobs.first { $0.userID.rawValue == "many" })
            #expect(try await queue.finish(job, .completed) == ["completed"])
            #expect(try await first().count == 1)
        }
        #expect(try await queue.client.disagreements().isEmpty)
        // All of them, in the order in which they wait: each takes the place of the one before.
        try await queue.pool.execute(
            "UPDATE sync_jobs SET status = 'cancelled' WHERE status = 'queued' AND run_at <= now()"
        )
        #expect(try await first().isEmpty)
        #expect(try await queue.client.disagreements().isEmpty)
    }

    @Test func anInsertThatDoesNothingOrIsRolledBack() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        let job = try #require(try await queue.claim().first)
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status) VALUES (\(id.rawValue), 'ada', 'queued')
            ON CONFLICT (job_id) DO NOTHING
            """
        )
        #expect(try await open(queue) == 1)
        let connection = try await queue.database.connect()
        try await connection.execute("BEGIN")
        try await connection.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (gen_random_uuid(), 'eve', 'queued')"
        )
        try await connection.execute("UPDATE sync_jobs SET status = 'cancelled'")
        try await connection.execute("ROLLBACK")
        await connection.close()
        #expect(try await open(queue) == 1)
        #expect(try await queue.finish(job, .completed) == ["completed"])
        #expect(try await open(queue) == 0)
    }

    @Test func everyChangeOfStatus() async throws {
        let queue = try await QueueFixture()
        let statuses = ["queued", "running", "completed", "failed", "cancelled"]
        for before in statuses + ["claimed"] {
            for after in statuses {
                let id = try await queue.insert("\(before)-\(after)")
                if before == "claimed" {
                    #expect(try await queue.claim().map(\.id) == [id])
                } else if before != "queued" {
                    try await queue.pool.execute(
                        "UPDATE sync_jobs SET status = \(before) WHERE job_id = \(id.rawValue)"
                    )
                }
                try await queue.pool.execute("UPDATE sync_jobs SET status = \(after) WHERE job_id = \(id.rawValue)")
                let isOpen = after == "queued" || before == "claimed" && after == "running"
                #expect(try await open(queue) == (isOpen ? 1 : 0), "\(before) to \(after)")
                let job = try await queue.job(id)
                #expect((job.completedAt != nil) == job.status.isFinal, "\(before) to \(after)")
                #expect(
                    try await queue.client.jobs(status: .failed, limit: 10).map(\.id)
                        == (after == "failed" ? [id] : []),
                    "\(before) to \(after)"
                )
                try await queue.pool.execute("DELETE FROM sync_jobs")
                #expect(try await open(queue) == 0)
            }
        }
    }

    @Test func manyRowsAtOnce() async throws {
        let queue = try await QueueFixture()
        for number in 0..<30 { try await queue.insert("user\(number % 10)") }
        let jobs = try await queue.claim(20)
        #expect(jobs.count == 10)
        try await queue.pool.execute("UPDATE sync_jobs SET status = 'cancelled'")
        #expect(try await open(queue) == 0)
        for job in jobs { #expect(try await queue.finish(job, .completed).isEmpty) }
        try await queue.pool.execute("UPDATE sync_jobs SET status = 'queued'")
        #expect(try await open(queue) == 30)
        try await queue.pool.execute("DELETE FROM sync_jobs")
        #expect(try await open(queue) == 0)
    }

    @Test func dueTimeAndPriorityOfQueuedAndRunningJobs() async throws {
        let queue = try await QueueFixture()
        let first = try await queue.insert("ada")
        let second = try await queue.insert("bob")
        try await queue.pool.execute(
            "UPDATE sync_jobs SET run_at = now() + interval '1 hour' WHERE job_id = \(first.rawValue)"
        )
        let job = try #require(try await queue.claim(5).first)
        #expect(job.id == second)
        #expect(try await queue.claim(5).isEmpty)
        try await queue.pool.execute("UPDATE sync_jobs SET run_at = now() - interval '1 hour', priority = 7")
        #expect(try await open(queue) == 2)
        #expect(try await queue.claim(5).map(\.id) == [first])
        #expect(try await queue.finish(job, .released(.stopping)) == ["queued"])
        #expect(try await open(queue) == 2)
        #expect(try await queue.count("SELECT priority FROM sync_queue WHERE lease IS NULL") == 7)
    }

    @Test func truncate() async throws {
        let queue = try await QueueFixture()
        for number in 0..<5 { try await queue.insert("user\(number)") }
        _ = try await queue.claim(2)
        try await queue.pool.execute("TRUNCATE sync_jobs CASCADE")
        #expect(try await open(queue) == 0)
    }

    @Test(arguments: [
        "SELECT FROM sync_jobs WHERE user_id = 'ada' FOR UPDATE",
        "UPDATE sync_jobs SET status = 'cancelled' WHERE user_id = 'ada'",
    ])
    func anOpenTransactionOnAQueuedJobDelaysThatJobAlone(statement: String) async throws {
        let queue = try await QueueFixture()
        let locked = try await queue.insert("ada")
        let free = try await queue.insert("bob")
        let connection = try await queue.database.connect()
        try await connection.execute("BEGIN")
        _ = try await connection.query(PostgresQuery(stringLiteral: statement))
        #expect(try await queue.claim(5).map(\.id) == [free])
        try await connection.execute("ROLLBACK")
        await connection.close()
        #expect(try await queue.claim(5).map(\.id) == [locked])
    }

    @Test(arguments: [
        "SELECT FROM sync_jobs WHERE user_id = 'ada' FOR UPDATE",
        "UPDATE sync_jobs SET status = 'cancelled' WHERE user_id = 'ada'",
    ])
    func anOpenTransactionOnARunningJobDelaysThatJobAlone(statement: String) async throws {
        let queue = try await QueueFixture()
        try await queue.insert("ada")
        try await queue.insert("bob")
        let jobs = try await queue.claim(5)
        let connection = try await queue.database.connect()
        try await connection.execute("BEGIN")
        _ = try await connection.query(PostgresQuery(stringLiteral: statement))
        let renewed = try await queue.pool.query(
            .heartbeat(
                worker: WorkerPresence(instance: WorkerInstance(), name: "w1", slots: 2, version: "1"),
                jobs: jobs.map { ($0.id, $0.userID, $0.lease) },
                ended: EndedJobs(),
                lease: .seconds(60)
            )
        )
        #expect(renewed.count == 2, "both are still held")
        let finishes = jobs.map { JobFinish(.completed, of: $0, backoff: Backoff(base: .zero, cap: .zero)) }
        let rows = try await queue.pool.finish(finishes.sorted { $0.id < $1.id }).finished
        let statuses = try rows.map { try $0.decode("status", as: String?.self) }
        #expect(Set(statuses) == ["completed", nil], "the locked one is to be finished later")
        try await connection.execute("COMMIT")
        await connection.close()
        let ada = try #require(jobs.first { $0.userID == UserID("ada") })
        let isCancelled = statement.hasPrefix("UPDATE")
        #expect(try await queue.finish(ada, .completed) == (isCancelled ? [] : ["completed"]))
        #expect(try await open(queue) == 0)
    }

    @Test func rowsChangedWithoutTriggersAreRepaired() async throws {
        let queue = try await QueueFixture()
        let cancelled = try await queue.insert("ada")
        let gone = try await queue.insert("bob")
        let connection = try await queue.database.connect()
        try await connection.execute("SET session_replication_role = replica")
        let restored = JobID()
        try await connection.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (\(restored.rawValue), 'eve', 'queued')"
        )
        try await connection.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(cancelled.rawValue)")
        try await connection.execute("DELETE FROM sync_jobs WHERE job_id = \(gone.rawValue)")
        await connection.close()
        #expect(Set(try await queue.client.disagreements().map(\.id)) == [cancelled, gone, restored])
        #expect(try await queue.claim(5).isEmpty)
        #expect(try await queue.pool.query(.repair(records: 100)).count == 3)
        #expect(try await open(queue) == 1)
        #expect(try await queue.claim(5).map(\.id) == [restored])
    }

    @Test func aClaimWhoseAnswerIsLostIsFoundAgain() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        let claimer = queue.claimer()
        let order = try await claimer.order(5)
        _ = try await queue.pool.query(order.query)
        claimer.lose(order)
        #expect(try await claimer.claim(5).jobs.map(\.job.id) == [id])
        #expect(try await claimer.claim(5).jobs.isEmpty)
    }

    /// It is no running job of the other user, at which every claim would wait.
    @Test func aRunningJobThatIsGivenToAnotherUserHoldsNobodyUp() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("bob")
        let held = try #require(try await queue.claim(1).first)
        let outside = try await queue.database.connect()
        try await outside.execute("BEGIN")
        try await outside.execute("UPDATE sync_jobs SET user_id = 'carl' WHERE job_id = \(id.rawValue)")
        for user in ["carl", "dave", "anna"] { try await queue.insert(user) }
        #expect(Set(try await queue.claim(8).map(\.userID.rawValue)) == ["carl", "dave", "anna"])
        try await outside.execute("COMMIT")
        await outside.close()
        // It begins anew for the other user, once that one's own job has ended.
        #expect(try await queue.finish(held, .completed) == [])
        #expect(try await queue.client.disagreements().isEmpty)
        #expect(try await queue.claim(8).isEmpty)
        #expect(try await queue.job(id).status == .queued)
    }

    /// As where the user's other job was claimed since the claim's snapshot, and is now being taken from its worker.
    /// Half of what it locks the claim holds by then.
    @Test func aClaimGivesWayToAStatementItWaitsFor() async throws {
        let queue = try await QueueFixture()
        for user in ["ada", "bob"] { try await queue.insert(user) }
        let outside = try await queue.database.connect()
        try await outside.runScript(
            """
            SET deadlock_timeout = '700ms';
            BEGIN;
            INSERT INTO sync_queue (job_id, user_id, priority, run_at, lease, lease_expires_at)
            VALUES (gen_random_uuid(), 'ada', 0, now(), 1, now())
            """
        )
        let claim = Task { try await queue.claim(2).count }
        try await eventually("the claim to wait") {
            try await !queue.pool.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'").isEmpty
        }
        try await outside.execute("UPDATE sync_jobs SET priority = 7 WHERE user_id = 'bob'")
        try await outside.runScript("ROLLBACK")
        // What the statement had locked when the claim was made again comes with the next.
        let jobs = try await claim.value
        #expect(try await jobs + queue.claim(2).count == 2)
        await outside.close()
    }

    /// Workers claim, renew and finish while statements from outside change one job and many: none of these is ever the
    /// victim of a deadlock, and at the end record and queue agree.
    @Test func outsideStatementsAreNoVictimsOfDeadlocks() async throws {
        let queue = try await QueueFixture()
        for number in 0..<100 { try await queue.insert("user\(number % 20)") }
        let isOver = StopSignal()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<4 {
                group.addTask { try await Self.work(queue, "w\(number)", until: isOver) }
            }
            group.addTask {
                defer { isOver.request() }
                for round in 0..<30 {
                    try await Self.disturb(queue, round)
                }
            }
            try await group.waitForAll()
        }
        try await queue.pool.execute(.unparkStranded())
        #expect(try await queue.client.disagreements().isEmpty)
    }

    private static func work(_ queue: QueueFixture, _ name: String, until isOver: StopSignal) async throws {
        let claimer = queue.claimer(name)
        let presence = WorkerPresence(instance: WorkerInstance(), name: name, slots: 8, version: "1")
        while !isOver.isRequested {
            do {
                let jobs = try await claimer.claim(8).jobs.map(\.job)
                _ = try await queue.pool.query(
                    .heartbeat(
                        worker: presence,
                        jobs: jobs.map { ($0.id, $0.userID, $0.lease) },
                        ended: EndedJobs(),
                        lease: .seconds(60)
                    )
                )
                for job in jobs {
                    _ = try await queue.finish(job, job.attempt % 2 == 0 ? .released(.stopping) : .completed)
                }
            } catch let error as PostgresError where error.sqlState == .uniqueViolation {
                continue
            }
        }
    }

    private static func disturb(_ queue: QueueFixture, _ round: Int) async throws {
        let many = "user\(round % 20)"
        async let all: Void = {
            try await queue.pool.execute(
                """
                UPDATE sync_jobs SET status = CASE WHEN \(round) % 3 = 0 THEN 'cancelled' ELSE 'queued' END
                WHERE user_id >= \(many)
                """
            )
        }()
        async let one: Void = {
            try await queue.pool.execute(
                """
                UPDATE sync_jobs SET status = 'queued', priority = \(round % 3) WHERE job_id = (
                    SELECT job_id FROM sync_jobs ORDER BY md5(job_id::text || \(round)::text) LIMIT 1)
                """
            )
        }()
        _ = try await (all, one)
    }
}
