import SyncSchema

extension TakeOver {
    var json: JSONValue {
        [
            "rows": [
                "sync_jobs": .int(jobs), "sync_state": .int(states), "credentials": .int(credentials),
                "sync_logs": .int(logs),
            ],
            "failed": ["queued": .int(failedQueued), "running": .int(failedRunning)],
            "oldest_failed_at": .time(oldestFailedAt),
            "queued_again": .int(requeued),
        ]
    }

    /// What was done, line by line, for a person.
    var lines: [String] {
        var lines = [
            "Took over an installation; every row stays:",
            "  sync_jobs    \(jobs)", "  sync_state   \(states)", "  credentials  \(credentials)",
            "  sync_logs    \(logs)",
        ]
        if failedQueued > 0 { lines.append(Self.failed(failedQueued, "had been queued and never started")) }
        if failedRunning > 0 { lines.append(Self.failed(failedRunning, "had been left running")) }
        if let oldestFailedAt { lines.append("The oldest of them is of \(TimeText.full(oldestFailedAt)).") }
        if requeued > 0 {
            lines.append(
                "\(Self.count(requeued)) of the last day left running: queued again, a worker goes on with it."
            )
        }
        lines.append("Jobs that ended before now are kept until SYNC_JOB_RETENTION is set.")
        return lines
    }

    private static func failed(_ count: Int, _ what: String) -> String {
        "\(Self.count(count)) marked failed: \(what) for more than a day. Start a new sync for a user who still waits."
    }

    private static func count(_ count: Int) -> String { count == 1 ? "1 job" : "\(count) jobs" }
}
