import Logging
import Postgres
import Support
import TestSupport
import Testing

@testable import JobQueue

/// Whatever makes a job due wakes a worker for it.
@Suite(.timeLimit(.minutes(1)))
struct WakeTests {
    /// A queue in which each wake-up leaves a row.
    private func makeQueue() async throws -> QueueFixture {
        let queue = try await QueueFixture()
        try await queue.pool.withConnection { connection in
            try await connection.runScript(
                """
                CREATE TABLE woken (n int GENERATED ALWAYS AS IDENTITY);
                CREATE OR REPLACE FUNCTION sync_queue_wake(other_than uuid DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql AS
                    $$ BEGIN INSERT INTO woken DEFAULT VALUES; RETURN true; END $$;
                """
            )
        }
        return queue
    }

    /// A job of a user that runs, and a second one that waits for its end.
    private func claimOneOfTwo(_ queue: QueueFixture) async throws -> ClaimedJob {
        try await queue.insert("ada")
        try await queue.insert("ada")
        let job = try #require(try await queue.claim(2).first)
        #expect(try await queue.count("SELECT count(*) FROM sync_queue WHERE is_parked") == 1)
        try await queue.pool.execute("DELETE FROM woken")
        return job
    }

    private func expectWoken(_ queue: QueueFixture, _ isWoken: Bool = true) async throws {
        #expect(try await (queue.count("SELECT count(*) FROM woken") > 0) == isWoken)
        #expect(try await queue.count("SELECT count(*) FROM sync_queue WHERE is_parked") == 0)
    }

    @Test(arguments: [
        "UPDATE sync_jobs SET status = 'cancelled' WHERE lease IS NOT NULL",
        "UPDATE sync_jobs SET status = 'completed' WHERE lease IS NOT NULL",
        "UPDATE sync_jobs SET status = 'queued', run_at = now() + interval '1 day' WHERE lease IS NOT NULL",
        "DELETE FROM sync_jobs WHERE lease IS NOT NULL",
    ])
    func aJobThatIsTakenAwayFromOutsideFreesTheNext(_ statement: String) async throws {
        let queue = try await makeQueue()
        _ = try await claimOneOfTwo(queue)
        try await queue.pool.withConnection { try await $0.runScript(statement) }
        try await expectWoken(queue)
    }

    @Test func aWorkerThatClaimsNoMoreWakesAnotherForTheNext() async throws {
        let queue = try await makeQueue()
        let job = try await claimOneOfTwo(queue)
        #expect(try await queue.finish(job, .completed) == ["completed"])
        try await expectWoken(queue)
    }

    @Test func aWorkerThatClaimsTheNextItselfWakesNobody() async throws {
        let queue = try await makeQueue()
        let job = try await claimOneOfTwo(queue)
        let claimer = queue.claimer()
        let order = try await claimer.order(1)
        let finish = JobFinish(.completed, of: job, backoff: Backoff(base: .zero, cap: .zero))
        let rows = try await queue.pool.finish([finish], claiming: order.query)
        #expect(rows.unparked.areDue)
        #expect(try claimer.batch(try #require(rows.claimed), of: order).0.jobs.count == 1)
        try await expectWoken(queue, false)
    }

    /// Ends a job as a worker does that may be about to stop.
    private func complete(
        _ job: ClaimedJob,
        in queue: QueueFixture,
        _ stop: StopSignal,
        unparker: Unparker? = nil
    ) async -> Completer.Completion {
        let completer = Completer(
            pool: queue.pool,
            claimer: queue.claimer(),
            unparker: unparker ?? queue.unparker(),
            running: RunningJobs(),
            stop: stop,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let flushing = Task { await completer.run() }
        let completion = await completer.record(
            JobFinish(.completed, of: job, backoff: Backoff(base: .zero, cap: .zero))
        )
        completer.end()
        await flushing.value
        return completion
    }

    @Test func aJobThatCompletesWhileItsWorkerStopsWakesAnother() async throws {
        let queue = try await makeQueue()
        let job = try await claimOneOfTwo(queue)
        let stop = StopSignal()
        stop.request()
        #expect(await complete(job, in: queue, stop).next == nil)
        try await expectWoken(queue)
    }

    @Test func aJobThatComesBackAndThatTheClaimDoesNotReachIsAnnounced() async throws {
        let queue = try await makeQueue()
        let job = try await claimOneOfTwo(queue)
        // It is due before the one that comes back.
        try await queue.insert("bob")
        try await queue.pool.execute("UPDATE sync_jobs SET run_at = '2020-01-01' WHERE user_id = 'bob'")
        try await queue.pool.execute("DELETE FROM woken")
        #expect(await complete(job, in: queue, StopSignal()).next?.job.userID.rawValue == "bob")
        try await expectWoken(queue)
    }

    /// As by a claim that has read the queue before the job was parked. Nobody looks at parked jobs again before the
    /// rescuer does.
    @Test func aParkedJobThatIsLockedWhenTheRunEndsComesBackSoon() async throws {
        let queue = try await makeQueue()
        let job = try await claimOneOfTwo(queue)
        let other = try await queue.database.connect()
        try await other.execute("BEGIN")
        try await other.execute("SELECT FROM sync_jobs WHERE lease IS NULL FOR NO KEY UPDATE")
        let unparker = queue.unparker()
        let unparking = Task { await unparker.run() }
        #expect(await complete(job, in: queue, StopSignal(), unparker: unparker).next == nil)
        #expect(try await queue.count("SELECT count(*) FROM sync_queue WHERE is_parked") == 1)
        try await other.execute("ROLLBACK")
        try await eventually("the next job") {
            try await queue.count("SELECT count(*) FROM sync_queue WHERE is_parked") == 0
        }
        try await expectWoken(queue)
        unparking.cancel()
        await unparking.value
        await other.close()
    }

    @Test func whatRescueGivesUpFreesTheNext() async throws {
        let queue = try await makeQueue()
        let job = try await claimOneOfTwo(queue)
        try await queue.pool.execute(
            "UPDATE sync_jobs SET crashes = 9 WHERE job_id = \(job.id.rawValue)"
        )
        try await queue.pool.execute("UPDATE sync_queue SET lease_expires_at = '-infinity' WHERE lease IS NOT NULL")
        let dueTimes = DueTimes()
        let rescuer = Rescuer(
            pool: queue.pool,
            configuration: queue.configuration(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            wake: Wakeup(),
            dueTimes: dueTimes,
            unparker: queue.unparker(),
            clock: DatabaseClock(lease: queue.configuration().lease),
            isSettled: { true },
            onFailure: { _ in }
        )
        let rescuing = Task { await rescuer.run() }
        try await eventually("the rescue") { try await queue.job(job.id).status == .failed }
        rescuing.cancel()
        await rescuing.value
        try await expectWoken(queue)
        #expect(dueTimes.next(atMost: .seconds(999)) == .seconds(999))
    }

    /// By a worker that leaves a job to others, of which there may be none.
    @Test func anotherWorkerIsWokenAndNeverTheOneThatAsks() async throws {
        let queue = try await QueueFixture()
        let own = queue.configuration().instance
        let other = WorkerInstance()
        func isAnotherWoken() async throws -> Bool? {
            try await queue.pool.query(.wakeAnother(than: own)).first?.decode("is_woken")
        }
        for (instance, expected) in [(own, false), (other, true)] {
            try await queue.pool.execute(
                """
                INSERT INTO sync_workers (instance, worker, slots, version)
                VALUES (\(instance.rawValue), 'w', 4, 'test')
                """
            )
            #expect(try await isAnotherWoken() == expected)
        }
    }

    @Test func whatIsLeftToOthersIsNotForgottenUnasked() {
        let dueTimes = DueTimes()
        dueTimes.add(.now - .seconds(1), isLeft: true)
        dueTimes.add(.now - .seconds(1))
        #expect(dueTimes.next(atMost: .seconds(9)) == .zero)
        #expect(dueTimes.takeLeft())
        #expect(!dueTimes.takeLeft())
        #expect(dueTimes.next(atMost: .seconds(9)) == .seconds(9))
    }

    @Test func aRescuedJobIsExpectedWhenItIsDue() async throws {
        let queue = try await makeQueue()
        let id = try await queue.insert("ada")
        _ = try await queue.claim()
        try await queue.pool.execute("UPDATE sync_queue SET lease_expires_at = '-infinity'")
        let rows = try await queue.pool.query(.rescue(limit: 100))
        let delay = try #require(try rows.first?.decode("delay", as: Double?.self))
        #expect(delay <= 2)
        #expect(try await queue.job(id).status == .queued)
    }

    @Test func theSafetyNetWakes() async throws {
        let queue = try await makeQueue()
        try await queue.insert("ada")
        try await queue.pool.execute("UPDATE sync_queue SET is_parked = true")
        try await queue.pool.execute("DELETE FROM woken")
        try await queue.pool.execute(.unparkStranded())
        try await expectWoken(queue)
    }

    @Test func theRepairWakes() async throws {
        let queue = try await makeQueue()
        try await queue.insert("ada")
        try await queue.pool.execute("DELETE FROM sync_queue")
        try await queue.pool.execute("DELETE FROM woken")
        #expect(try await queue.pool.query(.repair(records: 100)).count == 1)
        try await expectWoken(queue)
    }

    @Test func whatIsDueLaterWakesNobody() async throws {
        let queue = try await makeQueue()
        let job = try await claimOneOfTwo(queue)
        try await queue.pool.execute("UPDATE sync_jobs SET run_at = now() + interval '1 hour' WHERE lease IS NULL")
        try await queue.pool.execute("UPDATE sync_queue SET is_parked = true WHERE lease IS NULL")
        try await queue.pool.execute("DELETE FROM woken")
        #expect(try await queue.finish(job, .completed) == ["completed"])
        try await expectWoken(queue, false)
    }

    // MARK: Who is woken

    private func heartbeat(_ queue: QueueFixture, _ presence: WorkerPresence) async throws {
        try await queue.pool.execute(
            .heartbeat(worker: presence, jobs: [], ended: EndedJobs(), lease: .seconds(60))
        )
    }

    private func isWakeable(_ queue: QueueFixture) async throws -> Bool {
        try await queue.count("SELECT count(*) FROM sync_workers WHERE wakeable") == 1
    }

    @Test func whatIsWrittenLateDoesNotUndoALaterChange() async throws {
        let queue = try await makeQueue()
        var presence = WorkerPresence(instance: WorkerInstance(), name: "w1", slots: 4, version: "1")
        try await heartbeat(queue, presence)
        #expect(try await isWakeable(queue))
        let stopped = WakeupState(isWakeable: false, change: 1)
        let resumed = WakeupState(isWakeable: true, change: 2)
        try await queue.pool.execute(.setWakeable(resumed, instance: presence.instance))
        // A heartbeat that was begun before, and the statement that was overtaken.
        presence.wakeups = stopped
        try await heartbeat(queue, presence)
        try await queue.pool.execute(.setWakeable(stopped, instance: presence.instance))
        #expect(try await isWakeable(queue))
        // What could not be written when it changed comes with a heartbeat.
        presence.wakeups = WakeupState(isWakeable: false, change: 3)
        try await heartbeat(queue, presence)
        #expect(try await !isWakeable(queue))
    }

    @Test func workersOfOneNameHaveARowEach() async throws {
        let queue = try await makeQueue()
        let presences = (0..<2).map { _ in
            WorkerPresence(instance: WorkerInstance(), name: "w1", slots: 4, version: "1")
        }
        for presence in presences { try await heartbeat(queue, presence) }
        // The second has not heard of the first since it began.
        #expect(try await queue.pool.query(.namesakes(of: presences[1].instance)).isEmpty)
        try await heartbeat(queue, presences[0])
        #expect(try await queue.pool.query(.namesakes(of: presences[1].instance)).count == 1)
        let workers = try await queue.client.workers()
        #expect(Set(workers.map { $0.label(among: workers) }).count == 2)
        try await queue.pool.execute(.forgetWorker(presences[0].instance))
        #expect(try await queue.client.workers().map(\.instance) == [presences[1].instance])
        #expect(try await queue.pool.query(.namesakes(of: presences[1].instance)).isEmpty)
    }
}
