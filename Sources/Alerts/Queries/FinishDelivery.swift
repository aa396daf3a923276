internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Records that a delivery has ended, if it is still held. By primary key.
    static func endDelivery(_ delivery: ClaimedDelivery, state: String, error: String?) -> PostgresQuery {
        """
        UPDATE sync_alert_deliveries
        SET state = \(state), last_error = coalesce(\(error), last_error), finished_at = clock_timestamp(),
            lease = NULL, lease_expires_at = NULL
        WHERE notice_id = \(delivery.message.id) AND channel = \(delivery.channel) AND lease = \(delivery.lease.rawValue)
        RETURNING notice_id
        """
    }

    /// Records that a delivery is to be tried again. By primary key.
    static func retryDelivery(_ delivery: ClaimedDelivery, after wait: Duration, error: String) -> PostgresQuery {
        """
        UPDATE sync_alert_deliveries
        SET run_at = clock_timestamp() + make_interval(secs => \(wait.seconds)), last_error = \(error),
            lease = NULL, lease_expires_at = NULL
        WHERE notice_id = \(delivery.message.id) AND channel = \(delivery.channel) AND lease = \(delivery.lease.rawValue)
        RETURNING notice_id
        """
    }

    /// Switches a channel off, whose address is gone, with all that still waits for it.
    static func disableChannel(_ channel: String, target: String, reason: String) -> PostgresQuery {
        """
        WITH disabled AS (
            UPDATE sync_alert_channels SET disabled_at = now(), disabled_reason = \(reason)
            WHERE channel = \(channel) AND target = \(target)
            RETURNING channel
        )
        UPDATE sync_alert_deliveries AS d
        SET state = 'failed', finished_at = now(), last_error = 'The channel is off: ' || \(reason)
        FROM disabled
        WHERE d.channel = disabled.channel AND d.state = 'pending'
        """
    }

    /// Fails what has come for a channel that is off. By `sync_alert_deliveries_pending`.
    ///
    /// Each row: `notice_id`.
    static func failDeliveriesOfDisabled(_ channel: String) -> PostgresQuery {
        """
        UPDATE sync_alert_deliveries AS d
        SET state = 'failed', finished_at = now(), last_error = 'The channel is off: ' || coalesce(c.disabled_reason, '')
        FROM sync_alert_channels AS c
        WHERE c.channel = \(channel) AND c.disabled_at IS NOT NULL AND d.channel = c.channel AND d.state = 'pending'
        RETURNING d.notice_id
        """
    }

    /// Switches a channel on again.
    static func enableChannel(_ channel: String) -> PostgresQuery {
        """
        UPDATE sync_alert_channels SET disabled_at = NULL, disabled_reason = NULL
        WHERE channel = \(channel) AND disabled_at IS NOT NULL
        RETURNING channel
        """
    }
}
