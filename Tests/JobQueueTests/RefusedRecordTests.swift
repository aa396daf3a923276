import Logging
import Postgres
import ServiceLifecycle
import Support
import TestSupport
import Testing

@testable import JobQueue

/// A record that the database refuses to have changed, by a constraint, a trigger or a right of somebody else's: it
/// holds up its own job alone.
@Suite(.timeLimit(.minutes(2)))
struct RefusedRecordTests {
    /// Runs `body` beside a worker whose jobs complete at once.
    private func withWorker(
        lease: Duration = .seconds(60),
        handler: @escaping JobHandler = { _ in .completed },
        _ body: (QueueFixture) async throws -> Void
    ) async throws {
        let queue = try await QueueFixture()
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let worker = JobWorker(
            pool: PostgresPool(configuration: queue.database.configuration, size: 6, logger: quiet),
            database: queue.database.configuration,
            configuration: queue.configuration(lease: lease, poll: .milliseconds(300)),
            logger: quiet,
            handler: handler
        )
        let group = ServiceGroup(services: [worker], logger: quiet)
        let running = Task { try await group.run() }
        defer { running.cancel() }
        try await body(queue)
        await group.triggerGracefulShutdown()
        try await running.value
    }

    private func refuse(_ queue: QueueFixture, _ event: String, _ condition: String, _ state: String) async throws {
        try await queue.pool.withConnection { connection in
            try await connection.runScript(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '\(state)'; END $$;
                CREATE TRIGGER refuse \(event) ON sync_jobs FOR EACH ROW WHEN (\(condition)) EXECUTE FUNCTION refuse();
                """
            )
        }
    }

    private func ends(_ users: [String], _ queue: QueueFixture) async throws {
        try await eventually(within: .seconds(20), "the end of the others' jobs") {
            try await queue.count(
                "SELECT count(*) FROM sync_jobs WHERE status = 'completed' AND user_id = ANY (\(users))"
            ) == users.count
        }
    }

    private static let others = (1...6).map { "user-\($0)" }

    @Test(arguments: ["23514", "22001", "42501", "AB123", "23505"])
    func aJobThatMayNotBeginHoldsUpNoOther(_ state: String) async throws {
        try await withWorker { queue in
            try await refuse(queue, "BEFORE UPDATE", "NEW.user_id = 'bad' AND NEW.status = 'running'", state)
            let bad = try await queue.insert("bad")
            for user in Self.others { try await queue.insert(user) }
            try await ends(Self.others, queue)
            #expect(try await queue.job(bad).status == .queued)
            // Later ones do not meet it again.
            for user in Self.others { try await queue.insert("later-\(user)") }
            try await ends(Self.others.map { "later-\($0)" }, queue)
        }
    }

    /// As with a deferred constraint.
    @Test func aJobWhoseClaimIsRefusedAtTheCommitHoldsUpNoOther() async throws {
        try await withWorker { queue in
            try await queue.pool.withConnection { connection in
                try await connection.runScript(
                    """
                    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                        BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END $$;
                    CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON sync_jobs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                        WHEN (NEW.user_id = 'bad' AND NEW.status = 'running') EXECUTE FUNCTION refuse();
                    """
                )
            }
            try await queue.insert("bad")
            for user in Self.others { try await queue.insert(user) }
            try await ends(Self.others, queue)
        }
    }

    @Test(arguments: ["42501", "AB123", "23514"])
    func aResultThatMayNotBeRecordedHoldsUpNoOther(_ state: String) async throws {
        try await withWorker { queue in
            try await refuse(queue, "BEFORE UPDATE", "NEW.user_id = 'bad' AND NEW.status <> 'running'", state)
            try await queue.insert("bad")
            for user in Self.others { try await queue.insert(user) }
            try await ends(Self.others, queue)
        }
    }

    /// Workers are there and nothing is done: whoever looks at them sees why.
    @Test func aRightThatIsMissingToClaimIsSaid() async throws {
        try await withWorker { queue in
            try await refuse(queue, "BEFORE UPDATE", "NEW.status = 'running'", "42501")
            for user in Self.others { try await queue.insert(user) }
            func failing() async throws -> Bool {
                try await queue.client.workers().allClaimsFailingSince != nil
            }
            try await eventually(within: .seconds(20), "word of it") { try await failing() }
            let id = try #require(try await queue.client.jobs(limit: 1).first?.id)
            guard case .claimsFail? = try await queue.client.hold(on: id) else {
                Issue.record("\(String(describing: try await queue.client.hold(on: id)))")
                return
            }
            try await queue.pool.execute("ALTER TABLE sync_jobs DISABLE TRIGGER refuse")
            try await ends(Self.others, queue)
            try await eventually(within: .seconds(20), "word of its end") { try await !failing() }
        }
    }

    /// A trigger of somebody else's that waits for a lock, as one that keeps a count in a row of its own does.
    @Test func aJobWhoseBeginWaitsForALockHoldsUpNoOther() async throws {
        try await withWorker { queue in
            let outside = try await queue.database.connect()
            try await outside.runScript(
                """
                CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$;
                CREATE TRIGGER wait BEFORE UPDATE ON sync_jobs FOR EACH ROW
                    WHEN (NEW.user_id = 'bad' AND NEW.status = 'running') EXECUTE FUNCTION wait();
                SELECT pg_advisory_lock(4711);
                """
            )
            try await queue.insert("bad")
            for user in Self.others { try await queue.insert(user) }
            try await ends(Self.others, queue)
            #expect(try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'queued'") == 1)
            await outside.close()
            try await eventually(within: .seconds(40), "its end") {
                try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'completed'") == 7
            }
        }
    }

    /// Neither by its result nor by the attempts it has: it is put off, and never rescued.
    @Test(arguments: ["AB123", "23514"]) func aJobThatMayNotFailIsPutOff(_ state: String) async throws {
        let handler: JobHandler = { $0.job.userID.rawValue == "bad" ? .failed(error: "no") : .completed }
        try await withWorker(lease: .seconds(6), handler: handler) { queue in
            try await refuse(queue, "BEFORE UPDATE", "NEW.user_id = 'bad' AND NEW.status = 'failed'", state)
            let bad = try await queue.insert("bad")
            try await queue.pool.execute("UPDATE sync_jobs SET max_attempts = 1 WHERE job_id = \(bad.rawValue)")
            for user in Self.others { try await queue.insert(user) }
            try await ends(Self.others, queue)
            try await eventually(within: .seconds(20), "its being put off") {
                try await queue.count(
                    """
                    SELECT count(*) FROM sync_jobs
                    WHERE user_id = 'bad' AND status = 'queued' AND run_at > now() + interval '200 s' AND crashes = 0
                        AND last_error LIKE 'The database refuses the result:%'
                    """
                ) == 1
            }
        }
    }

    /// What keeps all results from being recorded is no fault of one of them: none is given up.
    @Test func aRightThatIsMissingForAWhileCostsNoResult() async throws {
        try await withWorker { queue in
            try await refuse(queue, "BEFORE UPDATE", "NEW.status <> 'running'", "42501")
            for user in Self.others { try await queue.insert(user) }
            try await eventually(within: .seconds(20), "their begin") {
                try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'running'") >= 4
            }
            try await Task.sleep(for: .seconds(3))
            try await queue.pool.execute("ALTER TABLE sync_jobs DISABLE TRIGGER refuse")
            try await ends(Self.others, queue)
            #expect(try await queue.count("SELECT max(attempt) FROM sync_jobs") == 1)
            #expect(try await queue.count("SELECT max(crashes) FROM sync_jobs") == 0)
        }
    }

    @Test func aDeadWorkersJobThatMayNotComeBackHoldsUpNoOther() async throws {
        try await withWorker(lease: .seconds(4)) { queue in
            try await queue.pool.execute("ALTER TABLE sync_queue DISABLE TRIGGER USER")
            let users = ["bad"] + Self.others
            for user in users { try await queue.insert(user) }
            try await ends(users, queue)
            try await refuse(queue, "BEFORE UPDATE", "NEW.user_id = 'bad' AND NEW.status = 'queued'", "23514")
            // Those of a worker that is gone.
            try await queue.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, lease, worker)
                SELECT gen_random_uuid(), u, 'running', 1000000 + row_number() OVER (), 'gone'
                FROM unnest(ARRAY['bad', 'dead-1', 'dead-2']) AS u
                """
            )
            try await queue.pool.execute(
                """
                INSERT INTO sync_queue (job_id, user_id, priority, run_at, lease, lease_expires_at, is_renewed)
                SELECT job_id, user_id, priority, run_at, lease, now() - interval '1 second', true
                FROM sync_jobs WHERE status = 'running' AND worker = 'gone'
                """
            )
            try await ends(["dead-1", "dead-2"], queue)
        }
    }

    /// A heartbeat that could not renew a lease is made again, and not without end.
    @Test func aLockedQueueRowCostsFewHeartbeats() async throws {
        let queue = try await QueueFixture()
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let mayEnd = StopSignal()
        let worker = JobWorker(
            pool: PostgresPool(configuration: queue.database.configuration, size: 6, logger: quiet),
            database: queue.database.configuration,
            configuration: queue.configuration(lease: .seconds(6), poll: .milliseconds(300)),
            logger: quiet
        ) { _ in
            await mayEnd.untilRequested()
            return .completed
        }
        let group = ServiceGroup(services: [worker], logger: quiet)
        let running = Task { try await group.run() }
        defer { running.cancel() }
        try await queue.insert("ada")
        try await eventually(within: .seconds(20), "the begin") {
            try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'running'") == 1
        }
        try await queue.pool.withConnection { connection in
            try await connection.runScript(
                """
                CREATE SEQUENCE beats;
                CREATE FUNCTION count_beats() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN PERFORM nextval('beats'); RETURN NULL; END $$;
                CREATE TRIGGER count_beats AFTER UPDATE ON sync_workers FOR EACH ROW EXECUTE FUNCTION count_beats();
                """
            )
        }
        try await queue.pool.withTransaction { outside in
            try await outside.execute("SELECT FROM sync_queue FOR UPDATE")
            try await Task.sleep(for: .seconds(3))
        }
        #expect(try await queue.count("SELECT last_value FROM beats") <= 10)
        mayEnd.request()
        await group.triggerGracefulShutdown()
        try await running.value
    }

    /// What somebody else refers to stays, and everything after it goes.
    @Test func anOldJobThatIsReferredToKeepsNoOther() async throws {
        let queue = try await QueueFixture()
        try await queue.pool.withConnection { connection in
            try await connection.runScript(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, created_at, completed_at)
                SELECT gen_random_uuid(), 'u' || n, 'completed', timezone('utc', now()) - interval '90 days' + n * interval '1 s',
                    timezone('utc', now()) - interval '80 days'
                FROM generate_series(1, 600) AS n;
                CREATE TABLE notes (job_id uuid REFERENCES sync_jobs);
                INSERT INTO notes SELECT job_id FROM sync_jobs WHERE user_id IN ('u7', 'u300');
                """
            )
        }
        var pruner = Pruner(
            pool: queue.pool,
            configuration: queue.configuration(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        pruner.pace.pauseFactor = 0
        let total = try await pruner.prune()
        #expect(total.jobs == 598 && total.refused == 2)
        #expect(total.refusal?.error.sqlState == .foreignKeyViolation)
        #expect(try await queue.count("SELECT count(*) FROM sync_jobs") == 2)
    }
}
