import Foundation
import Postgres
import TestSupport
import Testing

@testable import FlowControl

/// Jobs that wait for a gate, and are due when it says.
@Suite(.timeLimit(.minutes(2)))
struct RecallTests {
    /// A job that was put off until a gate opens.
    private static func putOff(_ user: String, behind gate: GateName, for time: Duration, _ fixture: GateFixture)
        async throws
    {
        try await fixture.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, run_at)
            VALUES (gen_random_uuid(), \(user), 'queued', false, 0, 0, 0,
                clock_timestamp() + make_interval(secs => \(time / .seconds(1))))
            """
        )
        try await fixture.pool.execute(
            """
            UPDATE sync_queue SET gate = \(gate), snoozed_since = clock_timestamp() WHERE user_id = \(user)
            """
        )
    }

    /// In how many seconds the job of a user is due.
    private static func wait(of user: String, _ fixture: GateFixture) async throws -> Double {
        let row = try await fixture.pool.query(
            "SELECT extract(epoch FROM run_at - clock_timestamp())::float8 AS wait FROM sync_jobs WHERE user_id = \(user)"
        ).first
        return try #require(row).decode("wait")
    }

    @Test func aJobWaitsNoLongerThanItsGateOnceTheClockIsSetBack() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            _ = await fixture.refuse(flow, asked: .seconds(300))
            try await Self.putOff("ada", behind: fixture.token, for: .seconds(301), fixture)
            _ = await flow.fail(isUnreached: true)
            try await Self.putOff("bob", behind: fixture.peer, for: .seconds(5), fixture)
            #expect(try await flow.recallJobs() == 0, "they wait as long as their gates say")
            try await fixture.setClock(forward: .seconds(-3600))
            try await fixture.pool.execute(
                """
                UPDATE sync_gates SET opened_at = opened_at + interval '1 hour', probe_at = probe_at + interval '1 hour'
                """
            )
            try await fixture.pool.execute("UPDATE sync_queue SET run_at = run_at + interval '1 hour'")
            // Its trigger would say that somebody has set the time.
            for statement: PostgresQuery in [
                "ALTER TABLE sync_jobs DISABLE TRIGGER USER",
                "UPDATE sync_jobs SET run_at = run_at + interval '1 hour'",
                "ALTER TABLE sync_jobs ENABLE TRIGGER USER",
            ] {
                try await fixture.pool.execute(statement)
            }
            #expect(try await flow.recallJobs() == 2)
            #expect((290...306).contains(try await Self.wait(of: "ada", fixture)))
            #expect(try await Self.wait(of: "bob", fixture) < 20)
            // And the gate keeps nobody longer by then.
            let gate = try #require(try await fixture.gate())
            #expect(try #require(gate.closedUntil) < Date() + 310)
        }
    }

    @Test func aJobBehindAGateThatIsOpenIsDue() async throws {
        try await GateFixture.with { fixture in
            try await Self.putOff("ada", behind: fixture.token, for: .seconds(86_400), fixture)
            #expect(try await fixture.flow().recallJobs() == 1)
            #expect(try await Self.wait(of: "ada", fixture) <= 5)
        }
    }

    /// Behind a peer that is out of order waits the whole backlog.
    @Test func manyJobsBehindAPeerMakeNewCredentialsNoSlower() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            _ = await fixture.refuse(flow, asked: .seconds(7200))
            try await fixture.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, run_at)
                SELECT gen_random_uuid(), 'u' || n, 'queued', false, 0, 0, 0, clock_timestamp() + interval '1 hour'
                FROM generate_series(1, 20000) AS n
                """
            )
            _ = await flow.fail(isUnreached: true)
            try await fixture.pool.execute(
                "UPDATE sync_gates SET probe_at = probe_at + interval '2 hours', cooldown = 7200"
            )
            try await fixture.pool.execute(
                "UPDATE sync_queue SET gate = \(fixture.peer), snoozed_since = clock_timestamp()"
            )
            try await fixture.pool.execute("VACUUM ANALYZE sync_queue")
            let clock = ContinuousClock()
            var recalled = 0
            let plain = try await clock.measure { recalled = try await flow.recallJobs() }
            #expect(recalled == 0)
            try await fixture.pool.execute(
                "INSERT INTO sync_replaced_credentials (user_id) SELECT 'u' || n FROM generate_series(1, 1000) AS n"
            )
            let replaced = try await clock.measure { recalled = try await flow.recallJobs() }
            #expect(recalled == 0)
            #expect(replaced < plain * 8 + .milliseconds(200), "\(plain), \(replaced)")
            #expect(
                try await fixture.pool.query("SELECT FROM sync_replaced_credentials").isEmpty,
                "of none a job waits for a token"
            )
            let plan = try await fixture.pool.query(
                "EXPLAIN SELECT FROM sync_queue AS q WHERE q.snoozed_since IS NOT NULL AND q.lease IS NULL AND q.user_id = 'u7'"
            ).map { try $0.decode(at: 0, as: String.self) }
            #expect(plan.contains { $0.contains("sync_queue_snoozed_user") }, "\(plan)")
        }
    }

    /// Opened by hand; those that are locked follow.
    @Test func allJobsBehindAGateThatIsOpenedAreDue() async throws {
        try await GateFixture.with { fixture in
            let gates = GateList(pool: fixture.pool)
            _ = try await gates.close(fixture.peer, for: .seconds(7200), reason: "Moved.")
            try await fixture.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, run_at)
                SELECT gen_random_uuid(), 'u' || n, 'queued', false, 0, 0, 0, clock_timestamp() + interval '1 hour'
                FROM generate_series(1, 12000) AS n
                """
            )
            try await fixture.pool.execute(
                "UPDATE sync_queue SET gate = \(fixture.peer), snoozed_since = clock_timestamp()"
            )
            let other = try await fixture.database.connect()
            try await other.runScript("BEGIN; SELECT FROM sync_jobs WHERE user_id = 'u5' FOR UPDATE")
            _ = try await gates.open(fixture.peer)
            #expect(try await gates.releaseJobs(behind: fixture.peer) == 11_999)
            try await other.runScript("COMMIT")
            await other.close()
            #expect(try await fixture.flow().recallJobs() == 1)
            let late = try await fixture.pool.query(
                "SELECT FROM sync_jobs WHERE run_at > clock_timestamp() + interval '61 seconds'"
            )
            #expect(late.isEmpty)
        }
    }

    /// Whoever looks at the rows of a job in psql may hold them for long. Who stores credentials does not wait for it.
    @Test(arguments: ["sync_jobs", "sync_queue"]) func newCredentialsReachAJobThatIsLocked(_ table: String) async throws
    {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            _ = await fixture.refuse(flow, asked: .seconds(7200))
            try await Self.putOff("ada", behind: fixture.token, for: .seconds(7200), fixture)
            let other = try await fixture.database.connect()
            try await other.runScript("BEGIN; SELECT FROM \(table) FOR UPDATE")
            let began = ContinuousClock.now
            try await fixture.pool.execute(
                """
                INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
                VALUES ('ada', 'g', 'n', 'd')
                """
            )
            #expect(try await flow.recallJobs() == 0)
            #expect(.now - began < .seconds(5), "nobody waits for the lock")
            #expect(try await Self.wait(of: "ada", fixture) > 7000)
            try await other.runScript("COMMIT")
            #expect(try await flow.recallJobs() == 1)
            #expect(try await Self.wait(of: "ada", fixture) <= 0)
            await other.close()
            // It may be put off again, and its credentials are what they were.
            try await fixture.pool.execute(
                "UPDATE sync_jobs SET run_at = clock_timestamp() + interval '2 hours' WHERE user_id = 'ada'"
            )
            try await fixture.pool.execute(
                "UPDATE sync_queue SET gate = \(fixture.token), snoozed_since = clock_timestamp() WHERE user_id = 'ada'"
            )
            #expect(try await flow.recallJobs() == 0)
        }
    }
}
