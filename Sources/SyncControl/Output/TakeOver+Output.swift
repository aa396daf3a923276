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
            "queued_again": .int(requeued), "queued": .int(queued),
        ]
    }

    /// What was done, line by line, for a person.
    var lines: [String] {
        var lines = [
            "Took over an installation; every row stays:",
            "  sync_jobs    \(jobs)", "  sync_state   \(states)", "  credentials  \(credentials)",
            "  sync_logs    \(logs)",
        ]
        if failedQueued > 0 { lines.append(Self.failed(failedQueued, "queued for more than a day and never started")) }
        if failedRunning > 0 { lines.append(Self.failed(failedRunning, "left running for more than a day")) }
        if let oldestFailedAt {
            lines.append(
                "The oldest of them is of \(TimeText.full(oldestFailedAt)). A user who still waits needs a new sync."
            )
        }
        if requeued > 0 {
            lines.append("\(Self.count(requeued, "was", "were")) left running in the last day: queued again.")
        }
        if queued > 0 { lines.append("\(Self.count(queued, "is", "are")) queued: a worker runs them.") }
        if failedQueued + failedRunning + requeued == 0 {
            lines.append("Nothing was found that the replaced service had left undone.")
        }
        lines.append("Jobs that ended before now are kept until SYNC_JOB_RETENTION is set.")
        return lines
    }

    private static func failed(_ count: Int, _ what: String) -> String {
        "\(Self.count(count, "was", "were")) marked failed: \(what)."
    }

    private static func count(_ count: Int, _ one: String, _ many: String) -> String {
        count == 1 ? "1 job \(one)" : "\(count) jobs \(many)"
    }
}
