import Postgres
import Telemetry

extension PostgresQuery {
    /// Adds what was counted to what stands there already, by primary key. Rows are touched in the order of the key, so
    /// that two workers that add at once don't wait for each other in a circle. Writes of unknown outcome, which the
    /// database counts, go from their table into the same rows at the same moment: a reader adds both.
    static func keep(_ samples: [MetricSample], worker: String) -> PostgresQuery {
        .byIndex(
            """
            WITH unknown AS (
                DELETE FROM sync_unknown_outcomes RETURNING operation
            )
            INSERT INTO sync_metrics AS m (name, labels, part, worker, value)
            SELECT s.name, s.labels, s.part, CASE s.part WHEN 'gauge' THEN \(worker)::text ELSE '' END AS worker, s.value
            FROM (
                SELECT * FROM unnest(
                    \(samples.map(\.name)), \(samples.map(\.labels)), \(samples.map(\.part.text)), \(samples.map(\.value))
                ) AS counted (name, labels, part, value)
                UNION ALL
                SELECT 'sync_unknown_' || operation || 's_total', '', 'counter', count(*)::float8 FROM unknown GROUP BY operation
            ) AS s (name, labels, part, value)
            ORDER BY s.name, s.labels, s.part, worker
            ON CONFLICT (name, labels, part, worker) DO UPDATE
            SET value = CASE excluded.part
                    WHEN 'gauge' THEN excluded.value
                    WHEN 'latest' THEN greatest(m.value, excluded.value)
                    ELSE m.value + excluded.value END,
                updated_at = now()
            """
        )
    }

    /// Forgets the states of this worker, and of those that died long ago.
    static func forgetGauges(of worker: String) -> PostgresQuery {
        """
        DELETE FROM sync_metrics
        WHERE worker = \(worker) OR (worker <> '' AND updated_at < now() - interval '1 hour')
        """
    }
}
