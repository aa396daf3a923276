import Logging
import Postgres
import Support
import TestSupport
import Testing

@testable import JobQueue

/// Reports of a server whose queue of notifications nobody empties.
///
/// It holds 8 GB, which no test fills; from PostgreSQL 17 on it can be made small, and is filled.
@Suite(.timeLimit(.minutes(2)))
struct NotificationReportTests {
    /// Somebody else's session, in a database of its own, that listens and does not end its transaction.
    private func listenWithoutEnd(on cluster: PrivateCluster) async throws -> PostgresConnection {
        let session = try await PostgresConnection.connect(
            cluster.configuration(database: "postgres"),
            logger: FieldQueue.quiet
        )
        try await session.execute("LISTEN somebody_else")
        try await session.execute("BEGIN")
        _ = try await session.query("SELECT 1 AS one")
        return session
    }

    /// que #229
    @Test func aQueueOfNotificationsThatIsNotEmptiedIsSaid() async throws {
        let cluster = try await PrivateCluster.start()
        let queue = try await FieldQueue(on: cluster)
        let log = LogLines()
        let logger = Logger(label: "test") { _ in LineLogHandler(lines: log) }
        let before = try await queue.pool.notificationQueueUsage()
        let listening = try await listenWithoutEnd(on: cluster)
        try await queue.pool.execute(
            "SELECT pg_notify('noise', repeat('x', 7900) || n) FROM generate_series(1, 1000) AS n"
        )
        #expect(try await queue.pool.notificationQueueUsage() > before)
        let watch = NotificationQueueWatch(
            pool: queue.pool,
            logger: logger,
            hearing: Hearing(),
            warnedFrom: 0.0005,
            interval: .milliseconds(20)
        ) {}
        let watching = Task { await watch.run() }
        try await eventually("a warning") {
            log.lines.contains { $0.hasPrefix("warning PostgreSQL's queue of notifications is filling up") }
        }
        try await listening.execute("COMMIT")
        try await eventually("the end of it") {
            log.lines.contains { $0.hasPrefix("notice PostgreSQL's queue of notifications is no longer") }
        }
        watching.cancel()
        await watching.value
        #expect(log.lines.count == 2, "\(log.lines)")
        await listening.close()
        try await cluster.remove()
    }

    /// que #229
    @Test(.enabled("PostgreSQL 17 or newer") { try await isQueueSizeChosen() })
    func aFullQueueOfNotificationsRefusesNoJob() async throws {
        let cluster = try await PrivateCluster.start(.init(settings: ["max_notify_queue_pages": "64"]))
        let queue = try await FieldQueue(on: cluster)
        let log = LogLines()
        let logger = Logger(label: "test") { _ in LineLogHandler(lines: log) }
        let started = StopSignal()
        let isCancelled = StopSignal()
        // It polls once a minute where it hears.
        var configuration = queue.configuration("w")
        configuration.hearingInterval = .seconds(1)
        try await queue.withWorker(configuration, logger: logger) { context in
            guard context.job.userID.rawValue == "endless" else { return .completed }
            started.request()
            await StopSignal().untilRequested()
            isCancelled.request()
            return .released(.stopping)
        } while: {
            let endless = try await queue.insert("endless")
            await started.untilRequested()
            let listening = try await listenWithoutEnd(on: cluster)
            try await fill(queue)
            #expect(try await queue.pool.notificationQueueUsage() > NotificationQueueWatch.silentFrom)
            try await queue.wait(for: try await queue.insert("ada"), .completed, within: .seconds(40))
            try await queue.pool.execute(
                "UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(endless.rawValue)"
            )
            try await eventually(within: .seconds(5), "the end of the cancelled run") { isCancelled.isRequested }
            try await eventually(within: .seconds(20), "a warning") {
                log.lines.contains { $0.hasPrefix("warning PostgreSQL's queue of notifications is filling up") }
            }
            try await listening.execute("COMMIT")
            await listening.close()
            try await eventually(within: .seconds(40), "a worker that hears") {
                try await queue.count("SELECT count(*) FROM sync_workers WHERE listening") == 1
            }
            try await queue.wait(for: try await queue.insert("bob"), .completed)
        }
        try await cluster.remove()
    }

    /// Notifies until the server refuses it.
    private func fill(_ queue: FieldQueue) async throws {
        let noisy = try await queue.database.connect()
        for number in 1...200 {
            do {
                try await noisy.execute("BEGIN")
                try await noisy.execute("SELECT pg_notify('noise', repeat('x', 7900) || \(number)::text)")
                try await noisy.execute("COMMIT")
            } catch let error as PostgresError where error.sqlState?.classCode == "54" {
                return await noisy.close()
            }
        }
        Issue.record("the queue of notifications was never full")
    }

    private static func isQueueSizeChosen() async throws -> Bool {
        let queue = try await FieldQueue()
        let isNew = try await queue.count("SELECT current_setting('server_version_num')::int") >= 170_000
        try await queue.database.drop()
        return isNew
    }
}
