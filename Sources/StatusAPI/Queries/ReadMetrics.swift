import Postgres
import ServiceHealth
import Telemetry

extension PostgresQuery {
    /// What the workers have counted, and the writes of unknown outcome that none of them has added yet, in one snapshot;
    /// states only of workers that have been heard lately, which write them every 40 seconds at the latest. A scan of
    /// small tables: `sync_intents` holds open writes only.
    static func metrics() -> PostgresQuery {
        """
        SELECT name, labels, part, worker, sum(value) AS value FROM (
            SELECT name, labels, part, worker, value FROM sync_metrics
            WHERE (worker = '' OR updated_at > now() - interval '1 minute')
                AND octet_length(name) + octet_length(labels) + octet_length(worker) <= 4096
            UNION ALL
            SELECT 'sync_unknown_' || operation || 's_total', '', 'counter', '', 1 FROM sync_uncounted_outcomes
        ) AS s
        GROUP BY name, labels, part, worker
        """
    }

    /// What the workers have counted, for a role that was made for an earlier version and may not read the rest.
    static func workersMetrics() -> PostgresQuery {
        """
        SELECT name, labels, part, worker, value FROM sync_metrics
        WHERE (worker = '' OR updated_at > now() - interval '1 minute')
            AND octet_length(name) + octet_length(labels) + octet_length(worker) <= 4096
        """
    }
}

extension PostgresPool {
    /// All counts and states of the workers.
    func workersMetrics() async throws -> [MetricSample] {
        let complete = try await unlessDenied { try await query(.metrics()) }
        let rows = if let complete { complete } else { try await query(.workersMetrics()) }
        return try rows.compactMap(MetricSample.init)
    }
}

extension MetricSample {
    /// Reads a row of `metrics`; nil for a part that a newer program may have written.
    init?(_ row: PostgresRow) throws {
        guard let part = Part(text: try row.decode("part")) else { return nil }
        let worker: String = try row.decode("worker")
        let labels: String = try row.decode("labels")
        let own = worker.isEmpty ? "" : MetricSample.labels([("worker", worker)])
        self.init(
            name: try row.decode("name"),
            labels: [labels, own].filter { !$0.isEmpty }.joined(separator: ","),
            part: part,
            value: try row.decode("value")
        )
    }
}
