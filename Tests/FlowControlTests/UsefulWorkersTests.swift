import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import FlowControl

/// How many workers the backlog can use, on real rows.
@Suite(.timeLimit(.minutes(2)))
struct UsefulWorkersTests {
    private struct Fixture {
        let database: TestDatabase
        var pool: PostgresPool { database.pool }

        func insert(_ user: String, _ count: Int = 1, isForced: Bool = false) async throws {
            for _ in 0..<count {
                try await JobClient(pool: pool).enqueue(user: UserID(user), fullSync: false, isForced: isForced)
            }
        }

        var slots: Int { get async throws { try await useful.slots } }

        var useful: UsefulWorkers {
            get async throws { try #require(try await pool.usefulWorkers()) }
        }
    }

    private static func with(_ body: (Fixture) async throws -> Void) async throws {
        let database = try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
        try await body(Fixture(database: database))
    }

    /// A worker that runs a job of each of these users.
    private static func run(_ users: [String], _ fixture: Fixture) async throws {
        try await fixture.pool.execute(
            """
            UPDATE sync_queue SET lease = nextval('sync_lease_seq'), lease_expires_at = now() + interval '1 minute'
            WHERE job_id IN (SELECT DISTINCT ON (user_id) job_id FROM sync_queue WHERE user_id = ANY (\(users)))
            """
        )
    }

    @Test func usersCountAndNotTheirJobs() async throws {
        try await Self.with { fixture in
            #expect(try await fixture.slots == 0)
            #expect(try await fixture.useful.workers == 0)
            try await fixture.insert("anna", 7)
            #expect(try await fixture.slots == 1)
            for number in 1...8 { try await fixture.insert("user-\(number)", 2) }
            #expect(try await fixture.slots == 9)
            #expect(try await fixture.useful.workers == 3, "of four slots each, as long as no worker says otherwise")
            // What runs is useful too, and its user's other jobs wait for it.
            try await Self.run(["anna", "user-1"], fixture)
            #expect(try await fixture.slots == 9)
            try await fixture.pool.execute(
                "UPDATE sync_jobs SET run_at = now() + interval '1 hour' WHERE user_id = 'user-2'"
            )
            try await fixture.pool.execute("UPDATE sync_jobs SET priority = -7 WHERE user_id = 'user-3'")
            #expect(try await fixture.slots == 8)
            try await fixture.pool.execute(
                """
                INSERT INTO sync_workers (instance, worker, slots, version, last_seen_at)
                VALUES (gen_random_uuid(), 'w1', 2, '1', now()), (gen_random_uuid(), 'w2', 4, '1', now()),
                    (gen_random_uuid(), 'gone', 64, '1', now() - interval '10 minutes')
                """
            )
            #expect(try await fixture.useful.workers == 3)
        }
    }

    @Test func whatIsPausedIsOfNoUse() async throws {
        try await Self.with { fixture in
            let pauses = PauseList(pool: fixture.pool)
            for user in ["anna", "bob", "carl"] { try await fixture.insert(user, 2) }
            _ = try await pauses.pause(.user(UserID("anna")), for: nil, reason: "r")
            #expect(try await fixture.slots == 2)
            try await fixture.insert("anna", isForced: true)
            #expect(try await fixture.slots == 3)
            _ = try await pauses.pause(.peer("notion_writer"), for: nil, reason: "r")
            #expect(try await fixture.slots == 1, "the forced one")
            try await Self.run(["bob"], fixture)
            #expect(try await fixture.slots == 2, "and what runs")
            try await fixture.pool.execute("UPDATE sync_pauses SET paused_until = now()")
            #expect(try await fixture.slots == 3)
        }
    }

    /// One job finds out whether the peer is back.
    @Test func aPeerThatIsClosedMakesOneOfUse() async throws {
        try await Self.with { fixture in
            for number in 1...20 { try await fixture.insert("user-\(number)") }
            let gates = GateList(pool: fixture.pool)
            _ = try await gates.close(GateName(.notionWriter), for: .seconds(10), reason: "Waited for in the slot.")
            #expect(try await fixture.slots == 20)
            _ = try await gates.close(GateName(.notionWriter), for: .seconds(600), reason: "r")
            #expect(try await fixture.slots == 1)
            try await Self.run(["user-1", "user-2"], fixture)
            #expect(try await fixture.slots == 3)
            _ = try await gates.open(GateName(.notionWriter))
            #expect(try await fixture.slots == 20)
            try await fixture.pool.execute("INSERT INTO sync_gates (gate, opened_at) VALUES ('keep_extractor', now())")
            #expect(try await fixture.slots == 3)
        }
    }

    /// While a peer is out of order the jobs are snoozed, and none of them is due.
    @Test func jobsSnoozedForAPeerOutOfOrderMakeOneOfUse() async throws {
        try await Self.with { fixture in
            for user in ["anna", "bob"] { try await fixture.insert(user) }
            try await fixture.pool.execute("UPDATE sync_jobs SET run_at = now() + interval '1 minute'")
            try await fixture.pool.execute("UPDATE sync_queue SET snoozed_since = now(), gate = 'notion_writer'")
            #expect(try await fixture.slots == 0)
            try await fixture.pool.execute("INSERT INTO sync_gates (gate, opened_at) VALUES ('notion_writer', now())")
            #expect(try await fixture.slots == 1)
            let pauses = PauseList(pool: fixture.pool)
            for user in ["anna", "bob"] { _ = try await pauses.pause(.user(UserID(user)), for: nil, reason: "r") }
            #expect(try await fixture.slots == 0)
            _ = try await pauses.resume(.user(UserID("anna")))
            #expect(try await fixture.slots == 1)
            _ = try await pauses.pause(.all, for: nil, reason: "r")
            #expect(try await fixture.slots == 0)
        }
    }
}
