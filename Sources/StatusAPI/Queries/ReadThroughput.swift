import Postgres

/// Jobs that ended in the last hour, minute by minute, the oldest first.
struct Throughput: Sendable {
    var completed = [Int](repeating: 0, count: 60)
    var failed = [Int](repeating: 0, count: 60)
}

extension PostgresQuery {
    /// Jobs that ended in each of the last 60 minutes, by `sync_jobs_finished`.
    static func throughput() -> PostgresQuery {
        """
        SELECT least(59, greatest(0, floor(extract(epoch FROM timezone('utc', now()) - completed_at) / 60)))::int AS minutes_ago,
            count(*) FILTER (WHERE status = 'completed') AS completed, count(*) FILTER (WHERE status = 'failed') AS failed
        FROM sync_jobs
        WHERE status IN ('completed', 'failed', 'cancelled')
            AND completed_at > timezone('utc', now()) - interval '1 hour'
        GROUP BY 1
        """
    }
}

extension PostgresPool {
    func throughput() async throws -> Throughput {
        var throughput = Throughput()
        for row in try await query(.throughput()) {
            let index = 59 - (try row.decode("minutes_ago", as: Int.self))
            throughput.completed[index] = try row.decode("completed")
            throughput.failed[index] = try row.decode("failed")
        }
        return throughput
    }
}
