import ArgumentParser
import Foundation
import JobQueue
import Logging
import Metrics
import Postgres
import ServiceLifecycle
import Support
import Telemetry

/// A worker whose jobs do nothing: all that is left is the queue's own work. Started by the measurements.
///
/// It writes `Ready.`, waits for the line `go`, then writes `done N` as jobs end, and with `--trace` at its end a line
/// `started USER NANOSECONDS` for each job. It stops when its standard input ends.
struct NoopWorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "noop-worker", shouldDisplay: false)

    @Option var database: String
    @Option var name: String
    @Option var slots = 4
    @Option var logLevel = "info"
    /// Jobs go on until the worker stops.
    @Flag var hold = false
    @Flag var trace = false

    func run() async throws {
        let announcements = Announcements()
        LoggingBootstrap.bootstrap(format: .human, level: Logger.Level(rawValue: logLevel) ?? .info)
        let logger = Logger(label: "noop-worker")
        MetricsSystem.bootstrap(MetricsAccumulator())
        let configuration = PostgresConfiguration(connectionString: database, applicationName: name)
        let pool = PostgresPool(configuration: configuration, size: 8, logger: logger)
        try await pool.execute("SELECT 1")
        announcements.write("Ready.")
        var commands = StandardInput.lines.makeAsyncIterator()
        guard await commands.next() == "go" else { return await pool.shutdown() }
        let journal = Journal(isTracing: trace)
        let group = ServiceGroup(
            services: [pool, worker(pool, configuration, logger, journal)],
            logger: logger
        )
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask { try await journal.announce(to: announcements) }
            // Nothing more is said to it: this is the end of its input.
            while await commands.next() != nil {}
            await group.triggerGracefulShutdown()
            try await tasks.next()
            tasks.cancelAll()
        }
        for (user, time) in journal.starts { announcements.write("started \(user) \(time)") }
    }

    private func worker(
        _ pool: PostgresPool,
        _ database: PostgresConfiguration,
        _ logger: Logger,
        _ journal: Journal
    ) -> JobWorker {
        let hold = hold
        return JobWorker(
            pool: pool,
            database: database,
            configuration: JobWorkerConfiguration(name: name, version: "bench", slots: slots),
            logger: logger
        ) { context in
            journal.jobStarted(context.job.userID)
            if hold {
                await context.stop.untilRequested()
                return .released(.stopping)
            }
            return .completed
        }
    }
}

/// What a no-op worker did.
private final class Journal: Sendable {
    private let count = Atomic<Int>(0)
    private let times = Mutex<[(user: String, nanoseconds: Int64)]>([])
    private let isTracing: Bool

    init(isTracing: Bool) {
        self.isTracing = isTracing
    }

    func jobStarted(_ user: UserID) {
        if isTracing {
            let now = monotonicNanoseconds()
            times.withLock { $0.append((user.rawValue, now)) }
        }
        count.add(1, ordering: .relaxed)
    }

    var starts: [(user: String, nanoseconds: Int64)] { times.withLock { $0 } }

    func announce(to announcements: Announcements) async throws {
        var last = 0
        while !Task.isCancelled {
            let count = count.load(ordering: .relaxed)
            if count != last { announcements.write("done \(count)") }
            last = count
            // Cancellation ends the loop.
            try? await DeadlineQueue.shared.sleep(for: .milliseconds(20))
        }
    }
}

/// The standard output as it was when the process began. What else is written to it, the log, goes nowhere: but for the
/// reading of it, a log costs what it costs.
final class Announcements: Sendable {
    private let descriptor: Int32

    init() {
        descriptor = dup(STDOUT_FILENO)
        let nowhere = open("/dev/null", O_WRONLY)
        dup2(nowhere, STDOUT_FILENO)
        close(nowhere)
    }

    func write(_ line: String) {
        var bytes = Array((line + "\n").utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            // The parent is gone; so will this process be.
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// The lines of the standard input, read on a thread of their own.
enum StandardInput {
    static var lines: AsyncStream<String> {
        AsyncStream { continuation in
            let thread = Thread {
                while let line = readLine() { continuation.yield(line) }
                continuation.finish()
            }
            thread.start()
        }
    }
}
