/// A metric: its name, its kind and what it says.
public struct MetricDescription: Sendable, Hashable {
    public enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    /// The name as shown; of a counter with `_total`.
    public let name: String
    public let kind: Kind
    public let help: String
    /// Labels of the series that are shown from the start, at 0: a rate over the first event needs the 0 before it.
    let expected: [String]

    init(_ name: String, _ kind: Kind, _ help: String, expected: [[(String, String)]] = []) {
        self.name = name
        self.kind = kind
        self.help = help
        self.expected = expected.map(MetricSample.labels)
    }

    /// The expected series that nothing has been counted of yet, at 0.
    public static func zeros(_ descriptions: [MetricDescription], besides samples: [MetricSample]) -> [MetricSample] {
        let counted = Set(samples.map { [$0.name, $0.labels] })
        return descriptions.flatMap { description in
            description.expected.filter { !counted.contains([description.name, $0]) }.flatMap { labels in
                let parts: [MetricSample.Part] =
                    description.kind == .histogram
                    ? MetricsAccumulator.upperBounds.map { .bucket(upperBound: $0) } + [.sum] : [.counter]
                return parts.map { MetricSample(name: description.name, labels: labels, part: $0, value: 0) }
            }
        }
    }
}

extension MetricDescription {
    /// What the workers count.
    public static let ofWorkers: [MetricDescription] = [
        MetricDescription(
            "sync_job_queue_wait_seconds",
            .histogram,
            "Time from when a job was due until a worker claimed it.",
            expected: [[]]
        ),
        MetricDescription(
            "sync_job_run_seconds",
            .histogram,
            "Time a worker ran a job, by how the run ended; its count says how many jobs completed, failed and so on.",
            expected: ["completed", "failed", "retried", "snoozed", "released", "not_held", "abandoned"].map {
                [("outcome", $0)]
            }
        ),
        MetricDescription(
            "sync_job_leases_lost_total",
            .counter,
            "Jobs taken from a worker while it ran them.",
            expected: [[]]
        ),
        MetricDescription(
            "sync_job_rescues_total",
            .counter,
            "Jobs put into the queue again after their worker died.",
            expected: [[]]
        ),
        MetricDescription("sync_job_crashes_total", .counter, "Times a worker died with a job.", expected: [[]]),
        MetricDescription(
            "sync_notes_total",
            .counter,
            "Notes settled, by operation and outcome.",
            expected: [
                ("create", "written"), ("create", "failed"), ("update", "written"), ("update", "failed"),
                ("update", "trashed"), ("none", "up_to_date"), ("none", "failed"),
            ].map { [("operation", $0), ("outcome", $1)] }
        ),
        MetricDescription(
            "sync_note_retries_total",
            .counter,
            "Writes of a note tried again, by reason.",
            expected: ["unknown_create", "unknown_update", "conflict", "unreachable", "throttled"].map {
                [("reason", $0)]
            }
        ),
        MetricDescription(
            "sync_unknown_creates_total",
            .counter,
            "Creates of pages whose outcome is unknown, also while no worker runs.",
            expected: [[]]
        ),
        MetricDescription(
            "sync_unknown_updates_total",
            .counter,
            "Updates of pages whose outcome is unknown, also while no worker runs.",
            expected: [[]]
        ),
        MetricDescription(
            "sync_peer_request_seconds",
            .histogram,
            "Time of requests to the peers, by service, operation and HTTP status or error."
        ),
        MetricDescription(
            "sync_throttles_total",
            .counter,
            "Calls that a peer refused as too many, by peer and by whose calls they were.",
            expected: [
                [("peer", "keep_extractor"), ("scope", "account")], [("peer", "notion_writer"), ("scope", "token")],
            ]
        ),
        MetricDescription(
            "sync_permits_total",
            .counter,
            "Permits taken to call a peer at the pace that is set, those given back among them; a page costs two.",
            expected: [
                [("peer", "keep_extractor"), ("scope", "account")], [("peer", "notion_writer"), ("scope", "token")],
            ]
        ),
        MetricDescription(
            "sync_alert_deliveries_total",
            .counter,
            "Messages of alerts by channel and outcome; failed ones will not be tried again."
        ),
        MetricDescription(
            "sync_last_success_timestamp_seconds",
            .gauge,
            "When a job last completed, in seconds since 1970."
        ),
        MetricDescription(
            "sync_worker_database_connections",
            .gauge,
            "Connections of each worker to the database, by state."
        ),
        MetricDescription(
            "sync_worker_claims_held",
            .gauge,
            "Whether the worker claims no jobs for a while, as it could only fail them: it does not reach a peer, or another is to find out whether one is back: 1 or 0."
        ),
        MetricDescription(
            "sync_worker_database_waiting",
            .gauge,
            "Tasks of each worker that wait for a connection to the database."
        ),
    ]

    /// What the HTTP programs find in the tables and know of themselves.
    public static let ofStatusAPI: [MetricDescription] = [
        MetricDescription("sync_build_info", .gauge, "Always 1; the labels say what runs."),
        MetricDescription(
            "sync_jobs",
            .gauge,
            "Jobs that have not ended, by state; 10001 stands for any number above 10000."
        ),
        MetricDescription(
            "sync_jobs_due",
            .gauge,
            "Queued jobs that are due, not paused, and wait for no other job of their user; 10001 stands for any number above 10000."
        ),
        MetricDescription(
            "sync_oldest_due_job_age_seconds",
            .gauge,
            "How long the oldest due job that is not paused has been due."
        ),
        MetricDescription(
            "sync_useful_slots",
            .gauge,
            "Jobs that could run at once now, one of each user: those that run, and those due that no pause and no closed peer keeps back."
        ),
        MetricDescription(
            "sync_useful_workers",
            .gauge,
            "Workers that the backlog can use now, each with as many slots as those that are there: the number for an autoscaler."
        ),
        MetricDescription("sync_workers", .gauge, "Workers with a recent heartbeat."),
        MetricDescription(
            "sync_workers_deaf",
            .gauge,
            "Workers among those that hear no notifications though they should, and poll instead."
        ),
        MetricDescription(
            "sync_notification_queue_usage",
            .gauge,
            "How full PostgreSQL's queue of notifications is, from 0 to 1; from 0.5 on jobs are found by polling."
        ),
        MetricDescription(
            "sync_worker_slots",
            .gauge,
            "Jobs those workers can run at once, but for those that have missed a heartbeat."
        ),
        MetricDescription(
            "sync_worker_slots_used",
            .gauge,
            "Jobs those workers ran at their last heartbeat, but for those that have missed one since."
        ),
        MetricDescription(
            "sync_intents_unknown",
            .gauge,
            "Writes to Notion whose outcome is not settled; 10001 stands for any number above 10000."
        ),
        MetricDescription(
            "sync_pauses",
            .gauge,
            "Pauses by an operator, by what they are of: all jobs, all because of a peer, those of a user; 10001 stands for any number above 10000."
        ),
        MetricDescription(
            "sync_gate_closed_seconds",
            .gauge,
            "How long the gate of a peer stays closed, or that of its tokens, accounts or workspaces which is closed for longest."
        ),
        MetricDescription("sync_breaker_open", .gauge, "Whether a peer is out of order, as its calls say: 1 or 0."),
        MetricDescription("sync_gates_closed", .gauge, "Gates that are closed, by peer and scope."),
        MetricDescription("sync_alerts_open", .gauge, "Alerts that are not over, by kind."),
        MetricDescription("sync_dependency_up", .gauge, "Whether a dependency answered when last asked: 1 or 0."),
        MetricDescription(
            "sync_status_database_connections",
            .gauge,
            "Connections of this HTTP program to the database, by state."
        ),
    ]
}
