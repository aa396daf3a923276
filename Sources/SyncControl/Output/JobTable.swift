import Foundation
import JobQueue

/// A list of jobs for people.
///
/// On a terminal an error stands below its job; elsewhere it is the last column, so that each job is one line.
struct JobTable {
    let jobs: [JobRecord]
    let now: Date

    func text(width: Int?) -> String {
        let time = width == nil ? TimeText.full : { TimeText.short($0, now: now) }
        var columns: [TextTable.Column] = [
            .init(title: "JOB"), .init(title: "STATUS"), .init(title: "NOTES", minimumWidth: 7),
            .init(title: "CREATED"), .init(title: "USER", minimumWidth: 8),
        ]
        if width == nil { columns.append(.init(title: "ERROR")) }
        var table = TextTable(columns)
        for job in jobs {
            let cells = [job.id.description, job.status.rawValue, job.notes, time(job.createdAt), job.userID.rawValue]
            if width == nil {
                table.add(cells + [job.presentError ?? ""])
            } else {
                table.add(cells, remark: job.presentError.map { "! \($0)" })
            }
        }
        return table.text(width: width)
    }
}

/// One job with its log, for people.
struct JobDetails {
    let job: JobRecord
    let logs: [JobLogLine]

    func text(width: Int?) -> String {
        let label = fields.map(\.0.count).max() ?? 0
        let fieldLines = fields.map { name, value in name.padding(label + 2) + value.singleLine }
        let logLines = logs.map { line in
            let note = line.keepNoteID.map { " [note \($0)]" } ?? ""
            let text = "\(TimeText.full(line.time))  \(line.level.padding(7))  \(line.message)\(note)".singleLine
            return width.map(text.truncated(toWidth:)) ?? text
        }
        let log = logLines.isEmpty ? [] : ["", "LOG"] + logLines
        return (fieldLines + log).map { $0 + "\n" }.joined()
    }

    private var fields: [(String, String)] {
        let crashes = job.crashes > 0 ? ", \(job.crashes) lost with their worker" : ""
        let optional: [(String, String?)] = [
            ("due", job.status == .queued ? TimeText.full(job.runAt) : nil),
            ("started", job.startedAt.map(TimeText.full)), ("ended", job.completedAt.map(TimeText.full)),
            ("worker", job.worker), ("error", job.errorMessage),
            ("last error", job.lastError == job.errorMessage ? nil : job.lastError),
        ]
        return [
            ("job", job.id.description), ("user", job.userID.rawValue), ("status", job.status.rawValue),
            ("sync", job.isFullSync ? "full" : "incremental"), ("notes", job.notes),
            ("attempt", "\(job.attempt) of \(job.maximumAttempts)\(crashes)"), ("priority", "\(job.priority)"),
            ("created", TimeText.full(job.createdAt)),
        ] + optional.compactMap { name, value in value.map { (name, $0) } }
    }
}

extension String {
    fileprivate func padding(_ width: Int) -> String { self + blanks(toWidth: width) }
}
