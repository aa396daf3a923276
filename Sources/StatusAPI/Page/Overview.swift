import JobQueue

/// What the status page shows.
struct Overview: Sendable {
    var depth: QueueDepth
    var throughput: Throughput
    var workers: [WorkerRecord]
    var running: [JobRecord]
    var failures: [JobRecord]

    private static let runningShown = 50
    private static let failuresShown = 10

    /// - Throws: `DatabaseAway`.
    init(_ reader: DatabaseReader) async throws {
        let jobs = reader.jobs
        self = try await reader.read { pool in
            Overview(
                depth: try await pool.queueDepth(),
                throughput: try await pool.throughput(),
                workers: try await jobs.workers(),
                running: try await jobs.jobs(status: .running, limit: Self.runningShown),
                failures: try await jobs.jobs(status: .failed, limit: Self.failuresShown)
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
