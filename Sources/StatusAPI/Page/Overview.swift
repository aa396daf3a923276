import FlowControl
import JobQueue

/// What the status page shows.
struct Overview: Sendable {
    var depth: QueueDepth
    /// What the backlog can use; nil where that can't be told.
    var useful: UsefulWorkers?
    /// How full the server's queue of notifications is, from 0 to 1.
    var notificationQueueUsage: Double
    var throughput: Throughput
    var workers: [WorkerRecord]
    /// The one that was there last, where none has a row.
    var lastWorker: LastWorker?
    var running: [JobRecord]
    /// What is paused.
    var pauses: [Pause]
    /// Gates that keep calls of the peers back.
    var gates: [GateRecord]
    /// Failed jobs, and completed ones of which most notes failed.
    var failures: [JobRecord]

    private static let runningShown = 50
    /// Jobs in workers' hands of which the newest are shown.
    private static let heldRead = 1000
    private static let failuresShown = 10
    private static let pausesShown = 50
    /// Gates among which those are sought that keep calls back: they come first.
    private static let gatesRead = 50
    /// Newest completed jobs among which those are sought of which most notes failed.
    private static let completedRead = 100
    /// Newest jobs among which both are sought, however many others are queued.
    private static let scanned = 10_000

    /// - Throws: `DatabaseAway`.
    init(_ reader: DatabaseReader) async throws {
        let jobs = reader.jobs
        self = try await reader.read { pool in
            let completed = try await jobs.recentJobs(
                status: .completed,
                scanned: Self.scanned,
                limit: Self.completedRead
            )
            let failed = try await jobs.page(status: .failed, limit: Self.failuresShown).jobs
            let failures = (failed + completed.filter(\.isMostlyFailed)).sorted { $0.createdAt > $1.createdAt }
            let workers = try await jobs.workers()
            return Overview(
                depth: try await pool.queueDepth(),
                useful: try await pool.unlessDenied { try await pool.usefulWorkers() } ?? nil,
                notificationQueueUsage: try await pool.notificationQueueUsage(),
                throughput: try await pool.throughput(),
                workers: workers,
                lastWorker: workers.isEmpty ? try await jobs.lastWorker() : nil,
                running: try await Self.running(jobs),
                pauses: try await pool.pauses(limit: Self.pausesShown),
                gates: try await pool.gatesThatHoldBack(limit: Self.gatesRead),
                failures: Array(failures.prefix(Self.failuresShown))
            )
        }
    }

    /// What workers hold, and what was set to running from outside lately.
    private static func running(_ jobs: JobClient) async throws -> [JobRecord] {
        let held = try await jobs.heldJobs(limit: heldRead)
        let known = Set(held.map(\.id))
        let recent = try await jobs.recentJobs(status: .running, scanned: scanned, limit: runningShown)
        let all = held + recent.filter { !known.contains($0.id) }
        return Array(all.sorted { $0.createdAt > $1.createdAt }.prefix(runningShown))
    }

    private init(
        depth: QueueDepth,
        useful: UsefulWorkers?,
        notificationQueueUsage: Double,
        throughput: Throughput,
        workers: [WorkerRecord],
        lastWorker: LastWorker?,
        running: [JobRecord],
        pauses: [Pause],
        gates: [GateRecord],
        failures: [JobRecord]
    ) {
        self.depth = depth
        self.useful = useful
        self.notificationQueueUsage = notificationQueueUsage
        self.throughput = throughput
        self.workers = workers
        self.lastWorker = lastWorker
        self.running = running
        self.pauses = pauses
        self.gates = gates
        self.failures = failures
    }
}
