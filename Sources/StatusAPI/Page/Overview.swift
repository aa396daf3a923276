import JobQueue

/// What the status page shows.
struct Overview: Sendable {
    var depth: QueueDepth
    var throughput: Throughput
    var workers: [WorkerRecord]
    var running: [JobRecord]
    /// Failed jobs, and completed ones of which most notes failed.
    var failures: [JobRecord]

    private static let runningShown = 50
    private static let failuresShown = 10
    /// Newest completed jobs among which those are sought of which most notes failed.
    private static let completedRead = 100

    /// - Throws: `DatabaseAway`.
    init(_ reader: DatabaseReader) async throws {
        let jobs = reader.jobs
        self = try await reader.read { pool in
            let completed = try await jobs.jobs(status: .completed, limit: Self.completedRead)
            let failed = try await jobs.jobs(status: .failed, limit: Self.failuresShown)
            let failures = (failed + completed.filter(\.isMostlyFailed)).sorted { $0.createdAt > $1.createdAt }
            return Overview(
                depth: try await pool.queueDepth(),
                throughput: try await pool.throughput(),
                workers: try await jobs.workers(),
                running: try await jobs.jobs(status: .running, limit: Self.runningShown),
                failures: Array(failures.prefix(Self.failuresShown))
            )
        }
    }

    private init(
        depth: QueueDepth,
        throughput: Throughput,
        workers: [WorkerRecord],
        running: [JobRecord],
        failures: [JobRecord]
    ) {
        self.depth = depth
        self.throughput = throughput
        self.workers = workers
        self.running = running
        self.failures = failures
    }
}
