import FlowControl
import Postgres
import SyncSchema
import TestSupport

/// A database of a test's own, and workers' views of its gates.
struct GateFixture: Sendable {
    let database: TestDatabase
    let token = GateName(.notionWriter, .token, key: "t1")
    let peer = GateName(.notionWriter)

    var pool: PostgresPool { database.pool }

    static func with(_ body: (GateFixture) async throws -> Void) async throws {
        let database = try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body(GateFixture(database: database)))
        } catch {
            outcome = .failure(error)
        }
        await database.pool.shutdown()
        try await database.drop()
        try outcome.get()
    }

    /// A worker's view.
    func flow(rate: Double = 3, burst: Int = 3, _ change: (inout FlowConfiguration) -> Void = { _ in }) -> FlowControl {
        var configuration = FlowConfiguration()
        configuration.worker = "w1"
        configuration.notionPace = PaceLimit(permitsPerSecond: rate, burst: burst)
        change(&configuration)
        return FlowControl(pool: pool, configuration: configuration)
    }

    /// Workers that say they are there, besides those of the test.
    func add(workers count: Int) async throws {
        try await pool.execute(
            """
            INSERT INTO sync_workers (instance, worker, slots, version, present_until)
            SELECT gen_random_uuid(), 'w', 1, '1', clock_timestamp() + interval '1 hour' FROM generate_series(1, \(count))
            """
        )
    }

    func take(_ flow: FlowControl, _ wanted: Int, unused: UnusedPermits = .none, hasSucceeded: Bool = false)
        async throws
        -> FlowControl.Admission
    {
        try await flow.take(
            wanted,
            passing: [peer, token],
            paced: token,
            unused: unused,
            hasSucceeded: hasSucceeded
        )
    }

    func refuse(
        _ flow: FlowControl,
        _ gate: GateName? = nil,
        asked: Duration?,
        began: ContinuousClock.Instant = .now,
        hasSucceeded: Bool = false
    ) async -> FlowControl.Closing {
        await flow.refuse(
            gate ?? token,
            asked: asked,
            began: began,
            reason: "Notion limits the rate.",
            hasSucceeded: hasSucceeded
        )
    }

    /// What the table says of a gate.
    func gate(_ name: GateName? = nil) async throws -> GateRecord? {
        try await GateList(pool: pool).gates(isComplete: true, limit: 100).first { $0.name == name ?? token }
    }

    /// As if the database's clock were set forward, or back if negative.
    func setClock(forward duration: Duration) async throws {
        try await pool.execute(
            """
            UPDATE sync_gates
            SET closed_at = closed_at - make_interval(secs => \(duration / .seconds(1))),
                closed_until = closed_until - make_interval(secs => \(duration / .seconds(1))),
                next_at = next_at - make_interval(secs => \(duration / .seconds(1))),
                slowed_at = slowed_at - make_interval(secs => \(duration / .seconds(1))),
                failed_at = failed_at - make_interval(secs => \(duration / .seconds(1))),
                minute = minute - make_interval(secs => \(duration / .seconds(1))),
                used_at = used_at - make_interval(secs => \(duration / .seconds(1)))
            """
        )
    }
}

extension FlowControl.Admission {
    /// When the last permit is due, from now on; nil if the gate is closed.
    func lastDue(_ count: Int) -> Duration? {
        guard case .permits(let permits) = self else { return nil }
        return permits.due(cost: count).map { $0 - .now }
    }

    /// What is given back after calls have used some.
    func unused(after calls: Int = 0) -> UnusedPermits {
        guard case .permits(var permits) = self else { return .none }
        for _ in 0..<calls { permits.use(cost: 1) }
        return UnusedPermits(permits)
    }

    var closing: FlowControl.Closing? {
        guard case .closed(let closing) = self else { return nil }
        return closing
    }
}
