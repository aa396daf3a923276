import Foundation
import JobQueue
import Support

/// One job with its log, for people.
struct JobDetails {
    let job: JobRecord
    /// What it waits for, while it is queued.
    let waits: [JobHold]
    /// Its writes whose outcome is unknown.
    let unknownWrites: Int
    let logs: [JobLogLine]
    /// Whether the log has older lines than these.
    var hasMoreLines = false

    var text: String {
        let label = fields.map(\.0.count).max() ?? 0
        let fieldLines = fields.map { name, value in name.padding(label + 2) + value.singleLine }
        let logLines = logs.map { line in
            let note = line.keepNoteID.map { " [note \($0)]" } ?? ""
            let time = TimeText.short(line.time, near: job.createdAt)
            return "\(time)  \(line.level.padding(7))  \(line.message)\(note)".singleLine
        }
        let title =
            hasMoreLines ? "LOG, the newest \(Count.of(logs.count, "line")); all: syncctl jobs \(job.id) --log" : "LOG"
        let log = logLines.isEmpty ? [] : ["", title] + logLines
        return (fieldLines + log).map { $0 + "\n" }.joined()
    }

    private var fields: [(String, String)] {
        let crashes = job.crashes > 0 ? ", \(job.crashes) lost with their worker" : ""
        let due: [(String, String?)] = [
            ("due", job.status == .queued ? TimeText.full(job.runAt) : nil)
        ]
        let waiting = waits.enumerated().map { place, hold in (place == 0 ? "waits for" : "and for", hold.text) }
        let course: [(String, String?)] = [
            ("started", job.startedAt.map(TimeText.full)), ("ended", job.completedAt.map(TimeText.full)),
            ("put off", job.snoozes > 0 ? Count.times(job.snoozes) : nil),
            ("worker", job.isRunOutside ? "none: set to running from outside" : job.worker),
            ("error", job.errorMessage),
            ("last error", job.lastError == job.errorMessage ? nil : job.lastErrorAsOfThen()),
            ("unknown", unknown),
        ]
        return [
            ("job", job.id.description), ("user", job.userID.rawValue), ("status", job.status.rawValue),
            ("sync", job.isFullSync ? "full" : "incremental"),
            ("notes", job.notes + (job.failedNotes > 0 ? ", \(job.failedNotes) failed" : "")),
            ("attempt", "\(job.attempt) of \(job.maximumAttempts)\(crashes)"), ("priority", "\(job.priority)"),
            ("created", TimeText.full(job.createdAt)),
        ] + present(due) + waiting + present(course)
    }

    private func present(_ fields: [(String, String?)]) -> [(String, String)] {
        fields.compactMap { name, value in value.map { (name, $0) } }
    }

    /// What it has left behind, with what to do.
    private var unknown: String? {
        guard unknownWrites > 0 else { return nil }
        let command = job.userID.shellCommand(withOption: "syncctl unknown list")
        return "\(Count.of(unknownWrites, "write")) of unknown outcome; see: \(command)"
    }
}

extension String {
    fileprivate func padding(_ width: Int) -> String { self + blanks(toWidth: width) }
}
