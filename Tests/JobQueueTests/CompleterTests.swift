import Logging
import Postgres
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
        let completion = try await complete(queue, .released) { stop.request() }
        #expect(completion.acknowledgement == .recorded(.queued, error: nil, delay: .zero))
        #expect(completion.next == nil)
        #expect(try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'queued'") == 2)
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
}
