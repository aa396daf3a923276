import Foundation

/// Inserts jobs as the gateway does: one row a statement, one statement a commit.
struct Gateway: Sendable {
    let database: BenchDatabase

    /// The gateway's own statement.
    static let insert = """
        INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes,
            error_message, completed_at)
        VALUES ($1, $2, 'queued', false, 0, 0, 0, NULL, NULL)
        """
    /// The same on the bare table.
    static let bareInsert = "INSERT INTO bare_jobs (job_id, user_id, status) VALUES ($1, $2, 'queued')"

    /// Inserts as fast as the server commits, on so many connections; gives the commits of a second.
    func insertAtFullSpeed(clients: Int, for duration: Duration, prefix: String) async throws -> Double {
        let url = database.url
        let started = ContinuousClock.now
        let end = started + duration
        let total = try await withThrowingTaskGroup(of: Int.self) { group in
            for client in 0..<clients {
                group.addTask {
                    try await onThread {
                        let connection = try BareConnection(url)
                        var count = 0
                        while ContinuousClock.now < end {
                            let user = "\(prefix)-\(client)-\(count)"
                            try connection.execute(Self.insert, [UUID().uuidString, user])
                            count += 1
                        }
                        return count
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(total) / (ContinuousClock.now - started).inSeconds
    }

    /// Inserts `count` jobs at an even pace, whether or not earlier ones are committed by then.
    ///
    /// - Returns: when each was committed, in nanoseconds, by its number.
    func insert(_ sql: String, count: Int, perSecond rate: Int, clients: Int = 4) async throws -> [Int64] {
        let url = database.url
        let begin = monotonicNanoseconds() + 50_000_000
        let commits = try await withThrowingTaskGroup(of: [(Int, Int64)].self) { group in
            for client in 0..<clients {
                group.addTask {
                    try await onThread {
                        try Self.pacedInserts(url, sql, stride(from: client, to: count, by: clients), begin, rate)
                    }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        return commits.sorted { $0.0 < $1.0 }.map(\.1)
    }

    private static func pacedInserts(
        _ url: String,
        _ sql: String,
        _ numbers: StrideTo<Int>,
        _ begin: Int64,
        _ rate: Int
    ) throws -> [(Int, Int64)] {
        let connection = try BareConnection(url)
        try connection.prepare("insert", sql)
        return try numbers.map { number in
            let due = begin + Int64(number) * 1_000_000_000 / Int64(rate)
            sleep(untilNanosecond: due)
            try connection.execute(prepared: "insert", [UUID().uuidString, "pick-\(number)"])
            return (number, monotonicNanoseconds())
        }
    }
}

/// Blocks the thread until the shared clock shows this time.
func sleep(untilNanosecond instant: Int64) {
    var time = timespec(tv_sec: Int(instant / 1_000_000_000), tv_nsec: Int(instant % 1_000_000_000))
    while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
}
