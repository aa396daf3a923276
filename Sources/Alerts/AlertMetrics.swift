import Metrics

/// What is counted of alerts. Without a metrics backend nothing happens.
enum AlertMetrics {
    enum Outcome: String, CaseIterable {
        case delivered, retried, failed, heldBack = "held_back"
    }

    static func delivery(_ outcome: Outcome, channel: String, count: Int = 1) {
        Counter(
            label: "sync_alert_deliveries_total",
            dimensions: [("channel", channel), ("outcome", outcome.rawValue)]
        ).increment(by: count)
    }

    /// Shows every count of a channel at nought before anything has happened.
    static func declare(channel: String) {
        for outcome in Outcome.allCases { delivery(outcome, channel: channel, count: 0) }
    }
}
