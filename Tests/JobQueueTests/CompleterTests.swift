import Logging
import Postgres
import Support
import TestSupport
import Testing

@testable import JobQueue

/// Results and the claims that go with them.
@Suite(.timeLimit(.minutes(1)))
struct CompleterTests {
    private let stop = StopSignal()
    private let running = RunningJobs()

    /// Takes a job and ends it; gives what becomes of its slot.
    private func complete(
        _ queue: QueueFixture,
        _ outcome: JobOutcome = .completed,
        slots: Int = 1,
        between: () async throws -> Void = {}
    ) async throws -> Completer.Completion {
        let claimer = queue.claimer()
        let completer = Completer(
            pool: queue.pool,
            claimer: claimer,
            unparker: queue.unparker(),
            running: running,
            stop: stop,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let flushing = Task { await completer.run() }
        let entry = try #require(try await claimer.claim(slots).jobs.first)
        running.replace([], by: [entry])
        try await between()
        let completion = await completer.record(
            JobFinish(outcome, of: entry.job, backoff: Backoff(base: .zero, cap: .zero))
        )
        completer.end()
        await flushing.value
        return completion
    }

    @Test func theNextJobIsClaimedInTheTransactionThatEndsTheLast() async throws {
        let queue = try await QueueFixture()
        // Of one user: the second may run only once the first has ended.
        try await queue.insert("ada")
        try await queue.insert("ada")
        let completion = try await complete(queue)
        #expect(completion.acknowledgement == .recorded(.completed, error: nil, delay: .zero))
        let next = try #require(completion.next)
        #expect(running.all.map(\.job.id) == [next.job.id], "the slot is the next job's, and no other is taken")
        #expect(try await queue.count("SELECT count(DISTINCT xmin::text) FROM sync_jobs") == 1)
        #expect(try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'running'") == 1)
    }

    @Test func anEmptyQueueNeedsNoSecondLook() async throws {
        let queue = try await QueueFixture()
        try await queue.insert("ada")
        let completion = try await complete(queue, slots: 2)
        #expect(completion.next == nil)
        #expect(!completion.mayBeMore)
        #expect(running.count == 0)
    }

    @Test func aWorkerThatStopsClaimsNothing() async throws {
        let queue = try await QueueFixture()
        try await queue.insert("ada")
        try await queue.insert("bob")
        let completion = try await complete(queue, .released(.stopping)) { stop.request() }
        #expect(completion.acknowledgement == .recorded(.queued, error: nil, delay: .zero))
        #expect(completion.next == nil)
        #expect(try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'queued'") == 2)
    }

    /// Not because the worker stops: it does not.
    @Test func aJobWhoseLeaseMightHaveRunOutSaysSo() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let claimer = queue.claimer()
        let completer = Completer(
            pool: queue.pool,
            claimer: claimer,
            unparker: queue.unparker(),
            running: running,
            stop: stop,
            logger: logger
        )
        let runner = JobRunner(
            configuration: queue.configuration(),
            completer: completer,
            stop: stop,
            lost: LostJobs(ended: Wakeup()),
            handler: { _ in .completed },
            onFailure: { _ in },
            logger: logger
        )
        let job = try #require(try await claimer.claim(1).jobs.first).job
        let flushing = Task { await completer.run() }
        stop.request()
        _ = await runner.run(RunningJobs.Entry(job: job, lease: LeaseGuard(validUntil: .now)))
        completer.end()
        await flushing.value
        #expect(try await queue.job(id).attempt == 0)
        let line = try #require(try await queue.client.logs(of: id).last?.message)
        #expect(
            line.hasPrefix(
                "Handed back: its worker stood still, or the database did not answer it, until the lease might have run out."
            )
        )
    }

    @Test func aResultIsRecordedThoughTheClaimMeetsAnothers() async throws {
        let queue = try await QueueFixture()
        try await queue.insert("ada")
        try await queue.insert("bob")
        let completion = try await complete(queue) {
            try await queue.pool.withConnection { connection in
                try await connection.runScript(
                    """
                    CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN RAISE unique_violation; END $$;
                    CREATE TRIGGER collide BEFORE UPDATE ON sync_jobs FOR EACH ROW
                        WHEN (NEW.status = 'running' AND OLD.status = 'queued') EXECUTE FUNCTION collide();
                    """
                )
            }
        }
        #expect(completion.acknowledgement == .recorded(.completed, error: nil, delay: .zero))
        #expect(completion.next == nil)
        #expect(completion.mayBeMore, "the queue has to be looked at once more")
    }

    /// Two results are recorded and two jobs claimed for their slots, but one of the results is blocked: its record is
    /// locked from outside. The job that finds no slot goes back to the queue, also if somebody locks its record first.
    @Test(arguments: [false, true])
    func aJobWithoutASlotGoesBackToTheQueue(isLockedToo: Bool) async throws {
        let queue = try await QueueFixture()
        var jobs: [String: JobID] = [:]
        for user in ["ada", "bob", "carl", "dora"] { jobs[user] = try await queue.insert(user) }
        let (released, signal) = AsyncStream.makeStream(of: Void.self)
        let claimer = queue.claimer()
        let completer = Completer(
            pool: queue.pool,
            claimer: claimer,
            unparker: queue.unparker(),
            running: running,
            stop: stop,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) {
            signal.yield()
        }
        let entries = try await claimer.claim(2).jobs
        running.replace([], by: entries)
        let (ada, bob) = (entries[0].job, entries[1].job)
        if isLockedToo {
            try await queue.pool.withConnection { connection in
                try await connection.runScript(
                    """
                    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$;
                    CREATE TRIGGER slowly AFTER UPDATE ON sync_jobs FOR EACH ROW
                        WHEN (NEW.user_id = 'dora' AND NEW.lease IS NOT NULL) EXECUTE FUNCTION slowly();
                    """
                )
            }
        }
        let held = JobFinish(.completed, of: ada, backoff: Backoff(base: .zero, cap: .zero))
        let free = JobFinish(.completed, of: bob, backoff: Backoff(base: .zero, cap: .zero))
        try await queue.pool.withConnection { outside in
            try await outside.execute("BEGIN")
            try await outside.execute("SELECT FROM sync_jobs WHERE job_id = \(ada.id.rawValue) FOR UPDATE")
            async let blocked = completer.record(held)
            async let recorded = completer.record(free)
            try await eventually("both results are there") { completer.pendingCount == 2 }
            let flushing = Task { await completer.run() }
            defer { flushing.cancel() }
            if isLockedToo {
                try await eventually("the claim of dora's job is under way") {
                    try await queue.count(
                        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
                    ) == 1
                }
                try await outside.execute("SELECT FROM sync_jobs WHERE user_id = 'dora' FOR UPDATE")
            }
            let completion = await recorded
            #expect(completion.acknowledgement == .recorded(.completed, error: nil, delay: .zero))
            #expect(completion.next?.job.userID == UserID("carl"))
            // Held until it is released: it mostly is not by now, as whoever waits for the lock has it first.
            if isLockedToo { try await outside.execute("COMMIT") }
            for await _ in released { break }
            let dora = try #require(jobs["dora"])
            #expect(try await queue.job(dora).status == .queued)
            #expect(running.all.count { $0.job.userID == UserID("dora") } == 0)
            if !isLockedToo { try await outside.execute("COMMIT") }
            let late = await blocked
            #expect(late.acknowledgement == .recorded(.completed, error: nil, delay: .zero))
            #expect(late.next == nil)
        }
        #expect(try await queue.count("SELECT count(*) FROM sync_jobs WHERE attempt > 0 AND user_id = 'dora'") == 0)
    }

    /// What the database refuses: how the trigger that stands for it finds the row, and what becomes of the job at
    /// fault.
    struct Refusal: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var trigger: String
        var outcome: JobOutcome
        var isRecorded: Bool
    }

    /// One result that can't be recorded neither holds up the others nor is tried for ever.
    @Test(arguments: [
        Refusal(
            testDescription: "the line in the log",
            trigger: "BEFORE INSERT ON sync_logs FOR EACH ROW WHEN (NEW.message LIKE 'Sync failed%')",
            outcome: .failed(error: "No login."),
            isRecorded: true
        ),
        Refusal(
            testDescription: "the length of the error",
            trigger: "BEFORE UPDATE ON sync_jobs FOR EACH ROW WHEN (length(NEW.error_message) > 1000)",
            outcome: .failed(error: String(repeating: "é", count: 2000)),
            isRecorded: true
        ),
        Refusal(
            testDescription: "the record",
            trigger: "BEFORE UPDATE ON sync_jobs FOR EACH ROW WHEN (NEW.user_id = 'user-3' AND NEW.lease IS NULL)",
            outcome: .completed,
            isRecorded: false
        ),
        Refusal(
            testDescription: "a NUL, refused before it is sent",
            trigger: "BEFORE INSERT ON sync_logs FOR EACH ROW WHEN (false)",
            outcome: .failed(error: "A \u{0} in the error"),
            isRecorded: true
        ),
    ])
    func aResultThatIsRefusedTakesNoOtherWithIt(_ refusal: Refusal) async throws {
        let queue = try await QueueFixture()
        for number in 1...8 { try await queue.insert("user-\(number)") }
        try await queue.pool.withConnection { connection in
            try await connection.runScript(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE numeric_value_out_of_range; END $$;
                CREATE TRIGGER refuse \(refusal.trigger) EXECUTE FUNCTION refuse();
                """
            )
        }
        let claimer = queue.claimer()
        let completer = Completer(
            pool: queue.pool,
            claimer: claimer,
            unparker: queue.unparker(),
            running: running,
            stop: stop,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let entries = try await claimer.claim(8).jobs
        running.replace([], by: entries)
        let flushing = Task { await completer.run() }
        let answers = await withTaskGroup(of: (String, Completer.Acknowledgement).self) { group in
            for entry in entries {
                let user = entry.job.userID.rawValue
                let outcome = user == "user-3" ? refusal.outcome : .completed
                let finish = JobFinish(outcome, of: entry.job, backoff: Backoff(base: .zero, cap: .zero))
                group.addTask { (user, await completer.record(finish).acknowledgement) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for number in 1...8 where number != 3 {
            #expect(answers["user-\(number)"] == .recorded(.completed, error: nil, delay: .zero))
        }
        if refusal.isRecorded {
            guard case .recorded(.failed, _, _) = answers["user-3"] else {
                Issue.record("\(String(describing: answers["user-3"]))")
                return
            }
        } else {
            #expect(answers["user-3"] == .abandoned)
        }
        #expect(running.count == 0, "its lease is renewed no longer")
        completer.end()
        await flushing.value
    }
}
