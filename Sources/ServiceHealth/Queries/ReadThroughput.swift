package import Postgres

/// Jobs that ended in the last hour, minute by minute, the oldest first.
package struct Throughput: Sendable {
    package var completed = [Int](repeating: 0, count: 60)
    package var failed = [Int](repeating: 0, count: 60)
}

extension PostgresQuery {
    /// Jobs that ended in each of the last 60 minutes, as the workers count them, by primary key.
    package static func throughput() -> PostgresQuery {
        """
        SELECT least(59, greatest(0, extract(epoch FROM date_trunc('minute', now()) - minute) / 60))::int AS minutes_ago,
            greatest(0, least(1e12, sum(completed)))::bigint AS completed,
            greatest(0, least(1e12, sum(failed)))::bigint AS failed
        FROM sync_throughput
        WHERE minute BETWEEN now() - interval '1 hour' AND now()
        GROUP BY 1
        """
    }
}

extension PostgresPool {
    package func throughput() async throws -> Throughput {
        var throughput = Throughput()
        for row in try await query(.throughput()) {
            let index = 59 - (try row.decode("minutes_ago", as: Int.self))
            throughput.completed[index] = try row.decode("completed")
            throughput.failed[index] = try row.decode("failed")
        }
        return throughput
    }
}
