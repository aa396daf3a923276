import Postgres
import Telemetry

extension PostgresQuery {
    /// What the workers have counted; states only of workers that have been heard lately, which
    /// write them every 40 seconds at the latest. A scan of a small table.
    static func metrics() -> PostgresQuery {
        """
        SELECT name, labels, part, worker, value FROM sync_metrics
        WHERE (worker = '' OR updated_at > now() - interval '1 minute')
            AND octet_length(name) + octet_length(labels) + octet_length(worker) <= 4096
        """
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
