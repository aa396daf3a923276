import Foundation
import Postgres
import Support
import TestSupport
import Testing

@testable import JobQueue

/// A restore of the data alone with the triggers enabled: they fill the queue while `sync_jobs` is copied, and then the
/// queue itself is copied.
@Suite(.timeLimit(.minutes(3)))
struct RestoreTests {
    /// Copies the data of one database into another with `pg_dump` and `pg_restore`.
    private func copy(_ old: TestDatabase, into new: TestDatabase, _ options: String = "") async throws -> ProgramRun {
        let folder = old.cluster.binaries
        let script =
            "'\(folder)/pg_dump' -Fc '\(old.connectionString)' | '\(folder)/pg_restore' --data-only \(options) -d '\(new.connectionString)'"
        let run = try ProgramRun(executable: "/bin/bash", ["-c", script])
        try await run.waitForExit(within: .seconds(60))
        return run
    }

    private func doubles(_ queue: QueueFixture) async throws -> Int {
        try await queue.client.disagreements().count { $0.problem == .double }
    }

    @Test func aSecondQueueRowOfAJobIsFoundAndGoes() async throws {
        let (old, new) = (try await QueueFixture(), try await QueueFixture())
        for user in ["ada", "bob", "bob", "eve"] { try await old.insert(user) }
        let held = try #require(try await old.claim().first)
        // One of bob's waits for the other, another for its time.
        _ = try await old.claim(1)
        try await old.pool.execute("UPDATE sync_jobs SET run_at = now() + interval '1 hour' WHERE user_id = 'eve'")
        let run = try await copy(old.database, into: new.database)
        // What the migrations have put into their tables is refused, and nothing else.
        let refused = ["sync_alert_rounds", "sync_pruning", "sync_queue_walk", "sync_schema_migrations"]
        let errors = run.standardError.filter { $0.contains("error: COPY failed") }
        #expect(errors.count == refused.count, "\(run.transcript)")
        for table in refused { #expect(errors.contains { $0.contains("\"\(table)\"") }, "\(run.transcript)") }
        #expect(run.standardError.count { $0.contains("duplicate key") } == refused.count, "\(run.transcript)")
        let rows = try await new.count("SELECT count(*) FROM sync_queue")
        #expect(try await doubles(new) > 0 && rows > 4)

        // With a step of one record at a time all of them are found.
        var problems: Set<String> = []
        for _ in 1...6 {
            for row in try await new.pool.query(.repair(records: 1)) { problems.insert(try row.decode("problem")) }
        }
        #expect(problems == ["double"])
        #expect(try await new.client.disagreements().isEmpty)
        #expect(try await new.count("SELECT count(*) FROM sync_queue") == 4)
        #expect(try await new.job(held.id).status == .running)
        #expect(try await new.pool.query(.repair(records: 100)).isEmpty)
    }

    /// As README says it is to be done.
    @Test func withTriggersDisabledNothingIsDouble() async throws {
        let (old, new) = (try await QueueFixture(), try await QueueFixture())
        for user in ["ada", "bob"] { try await old.insert(user) }
        _ = try await copy(old.database, into: new.database, "--disable-triggers")
        #expect(try await new.count("SELECT count(*) FROM sync_queue") == 2)
        #expect(try await new.client.disagreements().isEmpty)
    }

    /// Workers claim and finish while the second rows are removed: each job runs once, and nobody is the victim of a
    /// deadlock.
    @Test func workersGoOnBesideTheRepair() async throws {
        let queue = try await QueueFixture()
        for number in 0..<200 { try await queue.insert("user\(number % 40)") }
        try await queue.pool.execute(
            """
            INSERT INTO sync_queue (job_id, user_id, priority, run_at, is_parked)
            SELECT job_id, user_id, priority, run_at, random() < 0.5 FROM sync_queue
            """
        )
        #expect(try await doubles(queue) == 200)
        let isOver = StopSignal()
        let runs = try await withThrowingTaskGroup(of: [JobID].self) { group in
            for number in 0..<4 { group.addTask { try await Self.work(queue, "w\(number)", until: isOver) } }
            group.addTask {
                defer { isOver.request() }
                try await eventually(within: .seconds(60), "the end of all jobs") {
                    _ = try await queue.pool.query(.repair(records: 20))
                    return try await queue.count("SELECT count(*) FROM sync_jobs WHERE status <> 'completed'") == 0
                }
                return []
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        try await eventually(within: .seconds(20), "an empty queue") {
            _ = try await queue.pool.query(.repair(records: 100))
            return try await queue.count("SELECT count(*) FROM sync_queue") == 0
        }
        #expect(runs.count == 200 && Set(runs).count == 200)
    }

    /// - Returns: the jobs that it has run, each as often as it did.
    private static func work(_ queue: QueueFixture, _ name: String, until isOver: StopSignal) async throws -> [JobID] {
        let claimer = queue.claimer(name)
        var runs: [JobID] = []
        while !isOver.isRequested {
            for job in try await claimer.claim(8).jobs.map(\.job) {
                runs.append(job.id)
                #expect(try await queue.finish(job, .completed) == ["completed"])
            }
            try await queue.pool.execute(.unparkStranded())
        }
        return runs
    }
}
