internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Opens an alert for each condition that a check found, or brings the open one up to date, but for one that
    /// somebody has locked. By `sync_alerts_open`.
    static func openConditions(_ conditions: [Condition]) -> PostgresQuery {
        """
        WITH found AS MATERIALIZED (
            SELECT *
            FROM unnest(
                \(conditions.map(\.key)), \(conditions.map(\.kind.rawValue)), \(conditions.map(\.count)),
                \(conditions.map(\.jobID)), \(conditions.map(\.userID)),
                \(conditions.map { $0.users.isEmpty ? nil : $0.users.joined(separator: "\n") }),
                \(conditions.map(\.error)), \(conditions.map(\.since))
            ) AS f (key, kind, count, job_id, user_id, users, error, since)
        ), open AS MATERIALIZED (
            SELECT key FROM sync_alerts WHERE resolved_at IS NULL AND key = ANY (ARRAY(SELECT key FROM found))
        ), free AS MATERIALIZED (
            SELECT key FROM sync_alerts WHERE resolved_at IS NULL AND key = ANY (ARRAY(SELECT key FROM open))
            ORDER BY key FOR NO KEY UPDATE SKIP LOCKED
        )
        INSERT INTO sync_alerts AS a (key, kind, count, job_id, user_id, users, error, first_at, last_at)
        SELECT f.key, f.kind, f.count, f.job_id, f.user_id, coalesce(string_to_array(f.users, E'\\n'), '{}'), f.error,
            least(f.since, now()), now()
        FROM found AS f
        WHERE f.key <> ALL (ARRAY(SELECT key FROM open)) OR f.key = ANY (ARRAY(SELECT key FROM free))
        ORDER BY f.key
        ON CONFLICT (key) WHERE resolved_at IS NULL DO UPDATE
        SET kind = excluded.kind, count = excluded.count, job_id = excluded.job_id, user_id = excluded.user_id, users = excluded.users,
            error = excluded.error, last_at = now()
        """
    }

    /// Ends the open alerts of checked kinds whose condition has not been found for a while. A scan of the open alerts.
    ///
    /// Each row: `key`, and `is_told`, whether that makes a notice.
    static func resolveAbsent(kinds: [String], settle: Duration) -> PostgresQuery {
        """
        WITH over AS (
            UPDATE sync_alerts
            SET resolved_at = now()
            WHERE id = ANY (ARRAY(
                SELECT id FROM sync_alerts
                WHERE resolved_at IS NULL AND kind = ANY (\(kinds))
                    AND last_at < now() - make_interval(secs => \(settle.seconds))
                FOR NO KEY UPDATE SKIP LOCKED))
            RETURNING id, key, count, notified_count
        ), noticed AS (
            INSERT INTO sync_alert_notices (event, alert_id, count)
            SELECT 'resolve', id, count FROM over WHERE notified_count > 0
        )
        SELECT key, notified_count > 0 AS is_told FROM over
        """
    }
}
