import Logging
import Postgres
import ServiceLifecycle
import Support
import TestSupport
import Testing

@testable import Chaos
@testable import JobQueue

/// A worker whose way to the database loses what passes.
@Suite(.timeLimit(.minutes(2)))
struct LostConnectionTests {
    private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs `body` beside a worker behind a link.
    ///
    /// - Parameters:
    ///   - condition: of the link when the worker starts.
    ///   - claimAnswerIsHeld: whether answers are held from the first claim on.
    ///   - isPoolLinked: whether the pool goes through the link, as the listener and the leases do.
    ///   - body: is given the jobs that are begun, and what they wait for before they end.
    private func withWorker(
        link condition: FaultyLink.Condition = .pass,
        claimAnswerIsHeld: Bool = false,
        isPoolLinked: Bool = true,
        jobs: [String] = [],
        _ body: (QueueFixture, FaultyLink, inout AsyncStream<ClaimedJob>.Iterator, StopSignal) async throws -> Void
    ) async throws {
        let queue = try await QueueFixture()
        for user in jobs { try await queue.insert(user) }
        let link = try await FaultyLink.start(to: queue.database.cluster.port)
        link.set(condition)
        // The text of a statement is sent once a connection.
        if claimAnswerIsHeld { link.holdAnswers(after: "WITH RECURSIVE start") }
        var database = queue.database.configuration
        let direct = database
        database.connectionString = "postgresql://postgres@127.0.0.1:\(link.port)/\(queue.database.name)"
        database.applicationName = "linked"
        let pool = PostgresPool(configuration: isPoolLinked ? database : direct, size: 6, logger: quiet)
        var configuration = queue.configuration("linked")
        configuration.hearingInterval = .seconds(1)
        let (started, continuation) = AsyncStream<ClaimedJob>.makeStream()
        let mayEnd = StopSignal()
        let worker = JobWorker(pool: pool, database: database, configuration: configuration, logger: quiet) { context in
            continuation.yield(context.job)
            await mayEnd.untilRequested()
            return .completed
        }
        let group = ServiceGroup(services: [worker], logger: quiet)
        let running = Task { try await group.run() }
        do {
            var iterator = started.makeAsyncIterator()
            try await body(queue, link, &iterator, mayEnd)
        } catch {
            running.cancel()
            link.cut()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await running.value
        await pool.shutdown()
        await link.stop()
    }

    private func waitUntilListening(_ queue: QueueFixture, _ isListening: Bool = true) async throws {
        try await eventually(within: .seconds(20), "a worker that says whether it listens") {
            try await queue.client.workers().first?.isListening == isListening
        }
    }

    @Test func aResultIsRecordedSoonAfterEveryConnectionWasSwallowed() async throws {
        try await withWorker { queue, link, started, mayEnd in
            try await waitUntilListening(queue)
            let id = try await queue.insert("ada")
            let job = try #require(await started.next(isolation: #isolation))
            link.swallow()
            let began = ContinuousClock.now
            mayEnd.request()
            try await eventually(within: .seconds(20), "the result") { try await queue.job(id).status == .completed }
            #expect(.now - began < .seconds(6))
            let record = try await queue.job(id)
            #expect(record.crashes == 0 && record.attempt == 1 && job.id == id)
        }
    }

    /// The notification is lost, and the claims that polling makes wait on connections that are dead.
    @Test func anIdleWorkerWhoseConnectionsAreSwallowedFindsItsNextJob() async throws {
        try await withWorker { queue, link, started, mayEnd in
            mayEnd.request()
            try await waitUntilListening(queue)
            link.swallow()
            let began = ContinuousClock.now
            let id = try await queue.insert("ada")
            #expect(await started.next(isolation: #isolation)?.id == id)
            // A minute by the poll alone.
            #expect(.now - began < .seconds(15))
            try await waitUntilListening(queue)
        }
    }

    @Test func aClaimWhoseAnswerIsLostIsFoundInASecond() async throws {
        try await withWorker(claimAnswerIsHeld: true, jobs: ["ada"]) { queue, link, started, mayEnd in
            mayEnd.request()
            try await eventually(within: .seconds(20), "the claim") {
                try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'running'") == 1
            }
            let began = ContinuousClock.now
            link.cut()
            link.set(.pass)
            let job = try #require(await started.next(isolation: #isolation))
            #expect(.now - began < .seconds(2))
            try await eventually("the result") { try await queue.job(job.id).status == .completed }
            let record = try await queue.job(job.id)
            #expect(record.crashes == 0 && record.attempt == 1)
        }
    }

    /// Neither LISTEN nor the leases can be had at the start; the next try succeeds.
    @Test func aWorkerThatCannotListenAtItsStartPollsOften() async throws {
        try await withWorker(link: .refuse, isPoolLinked: false) { queue, link, started, mayEnd in
            mayEnd.request()
            for user in ["ada", "bob"] {
                let id = try await queue.insert(user)
                let began = ContinuousClock.now
                #expect(await started.next(isolation: #isolation)?.id == id)
                #expect(.now - began < .seconds(5))
                try await eventually("the result") { try await queue.job(id).status == .completed }
            }
            link.set(.pass)
            try await waitUntilListening(queue)
        }
    }
}
