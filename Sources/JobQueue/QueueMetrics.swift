internal import Foundation
internal import Metrics

/// What the queue counts. Without a metrics backend nothing happens.
enum QueueMetrics {
    static func claimed(waited: Duration) {
        Metrics.Timer(label: "sync_job_queue_wait_seconds").recordNanoseconds(waited.nanoseconds)
    }

    static func ran(for duration: Duration, _ acknowledgement: Completer.Acknowledgement, _ outcome: JobOutcome) {
        Metrics.Timer(label: "sync_job_run_seconds", dimensions: [("outcome", name(acknowledgement, outcome))])
            .recordNanoseconds(duration.nanoseconds)
        if case .recorded(.completed, _, _) = acknowledgement {
            Gauge(label: "sync_last_success_timestamp_seconds").record(Date().timeIntervalSince1970.rounded(.down))
        }
    }

    static func leaseLost() {
        Counter(label: "sync_job_leases_lost_total").increment()
    }

    static func rescued(as status: String) {
        Counter(label: "sync_job_crashes_total").increment()
        if status == JobStatus.queued.rawValue { Counter(label: "sync_job_rescues_total").increment() }
    }

    private static func name(_ acknowledgement: Completer.Acknowledgement, _ outcome: JobOutcome) -> String {
        switch (acknowledgement, outcome) {
        case (.recorded(.completed, _, _), _): "completed"
        case (.recorded(.failed, _, _), _): "failed"
        case (.recorded, .snoozed), (.recorded, .suspended): "snoozed"
        case (.recorded, .released): "released"
        case (.recorded, _): "retried"
        case (.notHeld, _): "not_held"
        case (.abandoned, _): "abandoned"
        }
    }
}

extension Duration {
    /// At most 285 years: a job may have been due for longer.
    fileprivate var nanoseconds: Int64 {
        min(max(components.seconds, 0), 9_000_000_000) * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}
