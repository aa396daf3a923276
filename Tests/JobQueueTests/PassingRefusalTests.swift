import Logging
import Postgres
import ServiceLifecycle
import Support
import TestSupport
import Testing

@testable import JobQueue

/// What seems to pass and does not, a row that takes minutes, and a change that a trigger swallows: one record holds up
/// its own job alone, whatever keeps it from being changed, and somebody says so.
@Suite(.timeLimit(.minutes(3)))
struct PassingRefusalTests {
    private static let others = (1...6).map { "user-\($0)" }

    /// Runs `body` beside a worker.
    private func withWorker(
        lease: Duration = .seconds(60),
        handler: @escaping JobHandler = { _ in .completed },
        _ body: (QueueFixture, LogLines) async throws -> Void
    ) async throws {
        let queue = try await QueueFixture()
        let log = LogLines()
        let logger = Logger(label: "test") { _ in LineLogHandler(lines: log) }
        try await queue.withWorker(lease: lease, poll: .milliseconds(300), logger: logger, handler: handler) {
            try await body(queue, log)
        }
    }

    private func trigger(_ queue: QueueFixture, when condition: String, _ body: String) async throws {
        try await queue.pool.withConnection { connection in
            try await connection.runScript(
                """
                CREATE FUNCTION interfere() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(body) END $$;
                CREATE TRIGGER interfere BEFORE UPDATE ON sync_jobs FOR EACH ROW WHEN (\(condition))
                    EXECUTE FUNCTION interfere();
                """
            )
        }
    }

    private func ends(_ users: [String], _ queue: QueueFixture, within limit: Duration = .seconds(30)) async throws {
        try await eventually(within: limit, "the end of the others' jobs") {
            try await queue.count(
                "SELECT count(*) FROM sync_jobs WHERE status = 'completed' AND user_id = ANY (\(users))"
            ) == users.count
        }
    }

    @Test(arguments: ["53100", "40001", "58030", "57014", "08006", "57P03"])
    func aJobWhoseBeginMeetsWhatShouldPassHoldsUpNoOther(_ state: String) async throws {
        try await withWorker { queue, _ in
            let refusal = "RAISE EXCEPTION 'no' USING ERRCODE = '\(state)';"
            try await trigger(queue, when: "NEW.user_id = 'bad' AND NEW.status = 'running'", refusal)
            let bad = try await queue.insert("bad")
            for user in Self.others { try await queue.insert(user) }
            try await ends(Self.others, queue)
            #expect(try await queue.job(bad).status == .queued)
            let later = Self.others.map { "later-\($0)" }
            for user in later { try await queue.insert(user) }
            try await ends(later, queue)
            try await queue.pool.execute("ALTER TABLE sync_jobs DISABLE TRIGGER interfere")
            // It is passed over for seconds, not for minutes.
            try await ends(["bad"], queue, within: .seconds(45))
        }
    }

    @Test func aJobWhoseBeginTakesMinutesHoldsUpNoOther() async throws {
        try await withWorker { queue, _ in
            try await trigger(
                queue,
                when: "NEW.user_id = 'bad' AND NEW.status = 'running'",
                "PERFORM pg_sleep(300); RETURN NEW;"
            )
            try await queue.insert("bad")
            for user in Self.others { try await queue.insert(user) }
            try await ends(Self.others, queue, within: .seconds(60))
        }
    }

    /// The result of one job, or every change of it.
    @Test(arguments: [true, false]) func aChangeThatATriggerSwallowsIsSaid(isOutcomeAlone: Bool) async throws {
        try await withWorker(lease: .seconds(6)) { queue, log in
            let bad = try await queue.insert("bad")
            let condition = isOutcomeAlone ? "NEW.status = 'completed'" : "OLD.status = 'running'"
            try await trigger(queue, when: "NEW.user_id = 'bad' AND \(condition)", "RETURN NULL;")
            for user in Self.others { try await queue.insert(user) }
            try await ends(Self.others, queue)
            if isOutcomeAlone {
                try await eventually(within: .seconds(40), "a failed attempt") {
                    try await queue.job(bad).lastError?.contains("keeps the record from being changed") ?? false
                }
            } else {
                try await eventually(within: .seconds(60), "word of the job that can't be given back") {
                    log.lines.contains { $0.contains("can't be given to the queue again") && $0.contains("user=bad") }
                }
            }
            try await queue.pool.execute("ALTER TABLE sync_jobs DISABLE TRIGGER interfere")
            try await ends(["bad"], queue)
        }
    }

    /// Somebody has it open in psql for a while: then it is recorded as it is, with its line.
    @Test func aRecordThatWasLockedForAWhileLosesNothing() async throws {
        let mayEnd = StopSignal()
        let handler: JobHandler = { _ in
            await mayEnd.untilRequested()
            return .failed(error: "no")
        }
        try await withWorker(handler: handler) { queue, _ in
            let id = try await queue.insert("ada")
            try await eventually(within: .seconds(20), "its begin") { try await queue.job(id).status == .running }
            let outside = try await queue.database.connect()
            try await outside.runScript("BEGIN; SELECT FROM sync_jobs FOR UPDATE")
            mayEnd.request()
            try await Task.sleep(for: .seconds(8))
            try await outside.runScript("ROLLBACK")
            await outside.close()
            try await eventually(within: .seconds(20), "its end") { try await queue.job(id).status == .failed }
            #expect(try await queue.client.logs(of: id).contains { $0.message == "Sync failed: no" })
        }
    }

    /// Heartbeats say it: whoever looks at the workers sees why nothing is done.
    @Test func resultsThatAreAllRefusedAreSaid() async throws {
        try await withWorker { queue, _ in
            try await trigger(queue, when: "NEW.status <> 'running'", "RAISE EXCEPTION 'no' USING ERRCODE = '42501';")
            for user in Self.others { try await queue.insert(user) }
            func failing() async throws -> Bool { try await queue.client.workers().allClaimsFailingSince != nil }
            try await eventually(within: .seconds(30), "word of it") { try await failing() }
            try await queue.pool.execute("ALTER TABLE sync_jobs DISABLE TRIGGER interfere")
            try await ends(Self.others, queue)
            try await eventually(within: .seconds(20), "word of its end") { try await !failing() }
        }
    }

    /// Workers live on while somebody rebuilds the queue's table, and none of their jobs counts as crashed.
    @Test func aQueueThatIsLockedForLongerThanALeaseCountsNoCrash() async throws {
        let queue = try await QueueFixture()
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let mayEnd = StopSignal()
        let handler: JobHandler = { context in
            await mayEnd.untilRequested()
            return context.lease.loss == nil ? .completed : .released(.leaseExpired)
        }
        try await queue.withWorker(lease: .seconds(16), poll: .milliseconds(300), logger: quiet, handler: handler) {
            try await queue.withWorker(lease: .seconds(16), poll: .milliseconds(300), logger: quiet, handler: handler) {
                for user in Self.others { try await queue.insert(user) }
                try await eventually(within: .seconds(20), "the renewal of all leases") {
                    try await queue.count("SELECT count(*) FROM sync_queue WHERE lease IS NOT NULL AND is_renewed")
                        == Self.others.count
                }
                let outside = try await queue.database.connect()
                try await outside.runScript("BEGIN; LOCK TABLE sync_queue")
                try await Task.sleep(for: .seconds(20))
                try await outside.runScript("ROLLBACK")
                await outside.close()
                try await Task.sleep(for: .seconds(8))
                mayEnd.request()
                try await ends(Self.others, queue)
            }
        }
        let crashes = try await queue.count("SELECT sum(crashes) FROM sync_jobs")
        #expect(crashes == 0)
    }

    /// As while an index is built on the table of the workers: their jobs go on.
    @Test(arguments: ["sync_workers", "sync_throughput"]) func aLockedTableOfWorkersEndsNoRun(_ table: String)
        async throws
    {
        let mayEnd = StopSignal()
        let losses = Mutex(0)
        let handler: JobHandler = { context in
            await mayEnd.untilRequested()
            if context.lease.loss != nil { losses.withLock { $0 += 1 } }
            return .completed
        }
        try await withWorker(lease: .seconds(6), handler: handler) { queue, log in
            for user in Self.others.prefix(3) { try await queue.insert(user) }
            try await eventually(within: .seconds(20), "the begin") {
                try await queue.count("SELECT count(*) FROM sync_queue WHERE lease IS NOT NULL") == 3
            }
            let outside = try await queue.database.connect()
            try await outside.runScript("BEGIN; LOCK TABLE \(table) IN SHARE MODE")
            try await Task.sleep(for: .seconds(10))
            mayEnd.request()
            try await ends(Array(Self.others.prefix(3)), queue)
            #expect(losses.withLock { $0 } == 0)
            #expect(log.lines.contains { $0.contains("has sync_workers locked, or sync_throughput") })
            try await outside.runScript("ROLLBACK")
            await outside.close()
        }
    }

    /// As while an index is built on it: no line can be added.
    @Test func aLogThatIsLockedHoldsUpNoResultAndNoRescue() async throws {
        let handler: JobHandler = { $0.job.userID.rawValue.hasSuffix("1") ? .failed(error: "no") : .completed }
        try await withWorker(lease: .seconds(4), handler: handler) { queue, log in
            let outside = try await queue.database.connect()
            try await outside.runScript("BEGIN; LOCK TABLE sync_logs IN SHARE MODE")
            for user in Self.others { try await queue.insert(user) }
            func areEnded(_ users: [String]) async throws -> Bool {
                try await queue.count(
                    "SELECT count(*) FROM sync_jobs WHERE status IN ('completed', 'failed') AND user_id = ANY (\(users))"
                ) == users.count
            }
            try await eventually(within: .seconds(12), "the ends") { try await areEnded(Self.others) }
            // Of a worker that is gone.
            try await queue.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, lease, worker)
                VALUES (gen_random_uuid(), 'dead', 'running', 1000000, 'gone')
                """
            )
            try await queue.pool.execute(
                """
                INSERT INTO sync_queue (job_id, user_id, priority, run_at, lease, lease_expires_at, is_renewed)
                SELECT job_id, user_id, priority, run_at, lease, now() - interval '1 second', true
                FROM sync_jobs WHERE worker = 'gone' AND status = 'running'
                ON CONFLICT DO NOTHING
                """
            )
            try await eventually(within: .seconds(15), "the rescued job's end") { try await areEnded(["dead"]) }
            #expect(log.lines.contains { $0.contains("sync_logs locked") })
            try await outside.runScript("ROLLBACK")
            await outside.close()
        }
    }
}
