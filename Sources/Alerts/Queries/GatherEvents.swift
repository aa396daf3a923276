internal import Postgres

extension PostgresQuery {
    /// Whether there is anything to gather, to tell or to end: an event or an open alert. One entry of an index each.
    static func isAnythingOpen() -> PostgresQuery {
        .byIndex(
            """
            SELECT EXISTS (SELECT FROM sync_alert_events)
                OR EXISTS (SELECT FROM sync_alerts WHERE resolved_at IS NULL) AS is_open
            """
        )
    }

    /// Counts up to `limit` events, the oldest first, into the open alerts of their keys, which begin with them if
    /// there is none.
    ///
    /// Events by primary key; SKIP LOCKED keeps workers apart. Alerts by `sync_alerts_open`. Events of an alert that
    /// somebody has locked stay for the next time, so that it holds up no other; alerts that are not there yet are made
    /// in the order of their keys, so that two workers can't wait for each other in a circle.
    ///
    /// Whoever may write an error can make up any number of causes. Once a kind has `mostOpen` alerts, what has none is
    /// counted into one for all the others, so that there are never many.
    ///
    /// One row: `taken`, the number of events.
    static func gatherEvents(limit: Int, kindsOff: [String], mostOpen: Int = 200) -> PostgresQuery {
        """
        WITH seen AS MATERIALIZED (
            SELECT id, kind, job_id, user_id, error, occurred_at FROM sync_alert_events
            ORDER BY id LIMIT \(limit) FOR UPDATE SKIP LOCKED
        ), named AS MATERIALIZED (
            SELECT *, CASE kind WHEN 'job_failed' THEN 'job_failed:' || sync_alert_cause(error, user_id)
                                WHEN 'credentials_changed_outside' THEN kind || ':' || user_id
                                ELSE kind END AS key
            FROM seen
            WHERE kind <> ALL (\(kindsOff))
        ), new AS MATERIALIZED (
            SELECT n.key, n.kind, row_number() OVER (PARTITION BY n.kind ORDER BY min(n.id)) AS place
            FROM named AS n
            WHERE n.key <> n.kind AND NOT EXISTS (SELECT FROM sync_alerts AS a WHERE a.key = n.key AND a.resolved_at IS NULL)
            GROUP BY n.key, n.kind
        ), excess AS MATERIALIZED (
            SELECT new.key FROM new
            WHERE new.place > \(mostOpen) - (SELECT count(*) FROM sync_alerts AS a WHERE a.kind = new.kind AND a.resolved_at IS NULL)
        ), keyed AS MATERIALIZED (
            SELECT id, kind, job_id, user_id, error, occurred_at,
                CASE WHEN key IN (SELECT key FROM excess) THEN kind || \(AlertKind.otherCauses) ELSE key END AS key
            FROM named
        ), open AS MATERIALIZED (
            SELECT key FROM sync_alerts WHERE resolved_at IS NULL AND key = ANY (ARRAY(SELECT DISTINCT key FROM keyed))
        ), free AS MATERIALIZED (
            SELECT key FROM sync_alerts WHERE resolved_at IS NULL AND key = ANY (ARRAY(SELECT key FROM open))
            ORDER BY key FOR NO KEY UPDATE SKIP LOCKED
        ), locked AS MATERIALIZED (
            SELECT id FROM keyed
            WHERE key = ANY (ARRAY(SELECT key FROM open)) AND key <> ALL (ARRAY(SELECT key FROM free))
        ), taken AS (
            DELETE FROM sync_alert_events
            WHERE id = ANY (ARRAY(SELECT id FROM seen WHERE id <> ALL (ARRAY(SELECT id FROM locked))))
            RETURNING id
        ), grouped AS (
            SELECT key, min(kind) AS kind, count(*) AS count, min(occurred_at) AS first_at, max(occurred_at) AS last_at,
                (array_agg(job_id ORDER BY id DESC))[1] AS job_id, (array_agg(user_id ORDER BY id DESC))[1] AS user_id,
                (array_agg(error ORDER BY id DESC))[1] AS error,
                (array_agg(DISTINCT user_id::text))[1:10] AS users
            FROM keyed
            WHERE id <> ALL (ARRAY(SELECT id FROM locked))
            GROUP BY key
            ORDER BY key
        ), counted AS (
            INSERT INTO sync_alerts AS a (key, kind, count, job_id, user_id, users, error, first_at, last_at)
            SELECT key, kind, count, job_id, user_id, users, error, first_at, last_at FROM grouped
            ON CONFLICT (key) WHERE resolved_at IS NULL DO UPDATE
            SET count = a.count + excluded.count, job_id = excluded.job_id, user_id = excluded.user_id,
                error = excluded.error, last_at = greatest(a.last_at, excluded.last_at),
                users = ARRAY(SELECT DISTINCT u FROM unnest(a.users || excluded.users) AS u LIMIT 10)
        )
        SELECT count(*) AS taken FROM taken
        """
    }
}
