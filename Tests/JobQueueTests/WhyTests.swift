import Foundation
import Postgres
import TestSupport
import Testing

@testable import JobQueue

/// `why` asks what a claim asks: it says that a job is claimable exactly when a claim takes it.
@Suite("Why a job does not run", .timeLimit(.minutes(5)))
struct WhyTests {
    private static let users = ["ada", "bob", "cyd", "dan", "eve"]

    /// Statements that make the queue look as it does in the field and as it never should, in random order and number.
    private static let disturbances: [@Sendable (inout SeededGenerator) -> PostgresQuery] = [
        {
            "INSERT INTO sync_pauses (scope, key, reason) VALUES ('user', \($0.pick(users)), 'r') ON CONFLICT DO NOTHING"
        },
        {
            """
            INSERT INTO sync_pauses (scope, key, reason, paused_until)
            VALUES ('user', \($0.pick(users)), 'r', now() - interval '1 second') ON CONFLICT DO NOTHING
            """
        },
        {
            """
            UPDATE sync_queue SET is_parked = true
            WHERE lease IS NULL AND user_id = \($0.pick(users)) AND hashtext(job_id::text) % 100 < \(Int32($0.pick([-50, 0, 50])))
            """
        },
        { "UPDATE sync_queue SET is_parked = false WHERE is_parked AND user_id = \($0.pick(users))" },
        { "DELETE FROM sync_queue WHERE lease IS NULL AND hashtext(job_id::text) % 100 > \(Int32($0.pick([70, 95])))" },
        {
            "UPDATE sync_jobs SET status = 'cancelled' WHERE user_id = \($0.pick(users)) AND hashtext(job_id::text) % 100 > 30"
        },
        {
            """
            UPDATE sync_jobs SET status = 'running'
            WHERE user_id = \($0.pick(users)) AND lease IS NULL AND hashtext(job_id::text) % 100 > 70
            """
        },
    ]

    /// Rare, as little can be claimed then.
    private static let wholePauses: [PostgresQuery] = [
        "INSERT INTO sync_pauses (scope, reason) VALUES ('all', 'r') ON CONFLICT DO NOTHING",
        "INSERT INTO sync_pauses (scope, key, reason) VALUES ('peer', 'notion_writer', 'r') ON CONFLICT DO NOTHING",
        """
        INSERT INTO sync_pauses (scope, reason, paused_until) VALUES ('all', 'r', now() - interval '1 minute')
        ON CONFLICT DO NOTHING
        """,
    ]

    private static func uuid(_ random: inout SeededGenerator) -> UUID {
        var (high, low) = (random.next(), random.next())
        return withUnsafeBytes(of: &high) { high in
            withUnsafeBytes(of: &low) { low in NSUUID(uuidBytes: Array(high) + Array(low)) as UUID }
        }
    }

    private func fill(_ queue: QueueFixture, _ random: inout SeededGenerator) async throws {
        try await queue.pool.withConnection {
            try await $0.runScript("TRUNCATE sync_jobs CASCADE; DELETE FROM sync_pauses")
        }
        for number in 0..<Int.random(in: 1...24, using: &random) {
            let delay = random.pick(["-1 day", "-1 hour", "-1 minute", "0", "1 hour"])
            try await queue.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, priority, run_at, is_forced)
                VALUES (\(Self.uuid(&random)), \(random.pick(Self.users)), 'queued', \(Int16.random(in: -1...1, using: &random)),
                    now() + \(delay)::text::interval, \(random.chance(5)))
                """
            )
            // Some run.
            if number % 8 == 7 { _ = try await queue.claim(Int.random(in: 1...2, using: &random), worker: "w0") }
        }
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            try await queue.pool.execute(random.pick(Self.disturbances)(&random))
        }
        if random.chance(6) { try await queue.pool.execute(random.pick(Self.wholePauses)) }
    }

    /// Locks some records and queue rows in a transaction that stays open.
    private func lock(_ jobs: [JobID], _ connection: PostgresConnection, _ random: inout SeededGenerator) async throws {
        try await connection.execute("BEGIN")
        for job in jobs where random.chance(6) {
            if random.chance(2) {
                try await connection.execute("SELECT FROM sync_jobs WHERE job_id = \(job.rawValue) FOR UPDATE")
            } else {
                try await connection.execute("SELECT FROM sync_queue WHERE job_id = \(job.rawValue) FOR NO KEY UPDATE")
            }
        }
    }

    @Test("For random queues why says claimable exactly where a claim takes the job")
    func whyAgreesWithTheClaim() async throws {
        let queue = try await QueueFixture()
        let locker = try await queue.database.connect()
        try await queue.pool.execute(
            "INSERT INTO sync_workers (instance, worker, slots, version) VALUES (gen_random_uuid(), 'w1', 4, '1')"
        )
        var (claimable, kept) = (0, Set<String>())
        for seed in UInt64(1)...40 {
            var random = SeededGenerator(seed: seed)
            try await fill(queue, &random)
            let jobs = try await queue.pool.query("SELECT job_id FROM sync_jobs ORDER BY job_id").map {
                JobID(try $0.decode("job_id"))
            }
            try await lock(jobs, locker, &random)
            var said: Set<JobID> = []
            let listed = try await queue.client.jobs(limit: 100)
            let waits = try await queue.client.waits(of: listed)
            for job in jobs {
                let diagnosis = try #require(try await queue.client.why(job))
                // What a list says of it is the first of that.
                let wait = waits[job].map { Self.word(of: $0) }
                #expect(wait == Self.word(ofFirst: diagnosis), "seed \(seed): \(String(describing: waits[job]))")
                if diagnosis.isClaimable { said.insert(job) }
                let first = try #require(diagnosis.findings.first)
                if case .claimable = first {
                    #expect(diagnosis.isClaimable, "seed \(seed)")
                } else {
                    #expect(!diagnosis.isClaimable, "seed \(seed): \(first)")
                    kept.insert("\(Mirror(reflecting: first).children.first?.label ?? "\(first)")")
                }
            }
            let taken = Set(try await queue.claim(100).map(\.id))
            try await locker.execute("ROLLBACK")
            #expect(said == taken, "seed \(seed): said \(said.subtracting(taken)) and not \(taken.subtracting(said))")
            claimable += taken.count
        }
        // The queues were not all of one kind.
        #expect(claimable > 40)
        let expected: Set = [
            "paused", "dueLater", "behind", "behindQueued", "parked", "locked", "notInQueue", "ended",
        ]
        #expect(expected.isSubset(of: kept), "\(kept)")
        await locker.close()
    }

    private static func word(of wait: JobWait) -> String { word("\(wait)") }

    /// As a list has it: of what has ended, and of what runs on a worker that answers, nothing.
    private static func word(ofFirst diagnosis: JobDiagnosis) -> String? {
        switch diagnosis.findings.first {
        case .ended, .running, nil: nil
        case .snoozed: "gate"
        case .pauseEnded: "parked"
        case .noWorker: "noWorker"
        case .slotsFull: "slotsFull"
        case let first?: word("\(first)")
        }
    }

    /// The name of a case without its values.
    private static func word(_ text: String) -> String { String(text.prefix { $0 != "(" }) }

    @Test func aJobThatWaitsForASlotIsToldItsTurn() async throws {
        let queue = try await QueueFixture()
        try await queue.pool.execute(
            """
            INSERT INTO sync_workers (instance, worker, slots, running, version) VALUES
                (gen_random_uuid(), 'w1', 4, 4, '1'), (gen_random_uuid(), 'w2', 2, 2, '1')
            """
        )
        for user in ["ada", "bob", "cyd"] { try await queue.insert(user) }
        try await queue.client.enqueue(user: UserID("dan"), fullSync: false, priority: -3)
        try await queue.client.enqueue(user: UserID("later"), fullSync: false, priority: -4, runAt: Date() + 3600)
        let last = try await queue.insert("eve")
        // Ten jobs a minute.
        try await queue.pool.execute(
            "INSERT INTO sync_throughput (minute, worker, completed, failed) VALUES (date_trunc('minute', now()), 'w1', 90, 10)"
        )
        let diagnosis = try #require(try await queue.client.why(last))
        guard case .slotsFull(6, 6, 2, let backlog)? = diagnosis.findings.first else {
            throw Unexpected(findings: diagnosis.findings)
        }
        #expect(diagnosis.isClaimable)
        #expect(backlog == QueueBacklog(ahead: 4, endedLately: 100))
        #expect(backlog.expectedStart(now: diagnosis.now) == diagnosis.now + 30)
        try await queue.pool.execute("UPDATE sync_workers SET running = 1 WHERE worker = 'w2'")
        guard case .claimable? = try await queue.client.why(last)?.findings.first else {
            throw Unexpected(findings: diagnosis.findings)
        }
    }

    @Test func aLockIsToldWithItsSession() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        let holder = try await queue.database.connect()
        try await holder.execute("SET application_name = 'psql of bob'")
        for (statement, isRecord) in [
            ("UPDATE sync_jobs SET error_message = 'x'", true), ("SELECT FROM sync_queue FOR UPDATE", false),
        ] {
            try await holder.execute("BEGIN")
            try await holder.execute(PostgresQuery(stringLiteral: statement))
            let pid: Int = try await holder.query("SELECT pg_backend_pid() AS pid")[0].decode("pid")
            let diagnosis = try #require(try await queue.client.why(id))
            guard case .locked(let session, isRecord)? = diagnosis.findings.first else {
                throw Unexpected(findings: diagnosis.findings)
            }
            #expect(session.processID == pid && session.application == "psql of bob" && session.since != nil)
            #expect(try await queue.claim(4).isEmpty)
            try await holder.execute("ROLLBACK")
        }
        #expect(try await queue.client.why(id)?.isClaimable == true)
        #expect(try await queue.claim(4).map(\.id) == [id])
        await holder.close()
    }

    private struct Unexpected: Error {
        let findings: [JobFinding]
    }
}
