import FlowControl
import Hummingbird
import JobQueue
import Postgres
import ServiceHealth
import Support

/// A job's own page: its facts, its progress, its log.
enum JobPage {
    private static let logLines = 500

    /// - Throws: `DatabaseAway`.
    static func response(_ id: JobID, _ source: StatusSource) async throws -> Response {
        let jobs = source.reader.jobs
        let found = try await source.reader.read { pool -> (JobRecord, String?, [JobLogLine])? in
            guard let job = try await jobs.job(id) else { return nil }
            let wait = try await pool.unlessDenied { try await waitText(job, jobs) } ?? nil
            return (job, wait, try await jobs.logs(of: id, limit: logLines))
        }
        guard let (job, wait, lines) = found else { return missing(id) }
        return HTML.document(
            title: "Job \(JobText.brief(id)), \(job.status.rawValue) – sync service",
            """
            <header><h1>Job \(JobText.brief(id))</h1><p><a href="/">All jobs</a></p></header>
            \(facts(job, wait))
            \(log(job, lines))
            """
        ).response()
    }

    private static func missing(_ id: JobID) -> Response {
        HTML.document(
            title: "No such job – sync service",
            "<header><h1>No such job</h1><p><a href=\"/\">All jobs</a></p></header><p>There is no job \(id.description).</p>"
        ).response(.notFound)
    }

    /// What a job waits for; of one that runs, the gate before which its next call waits.
    private static func waitText(_ job: JobRecord, _ jobs: JobClient) async throws -> String? {
        let gates = Peer.gates
        switch job.status {
        case .queued:
            let holds = try await jobs.holds(on: job.id, behind: gates).map { JobText.hold($0).withoutFullStop }
            return holds.isEmpty ? nil : holds.joined(separator: "; and for ")
        case .running where !job.isRunOutside: return try await jobs.closedGate(among: gates).map(JobText.closed)
        default: return nil
        }
    }

    private static func facts(_ job: JobRecord, _ wait: String?) -> HTML {
        let facts: [(String, HTML)] = [
            ("Status", "<strong class=\"\(job.status.rawValue)\">\(job.status.rawValue)</strong>"),
            ("Progress", JobText.progress(job)),
            ("Job", "\(job.id.description)"),
            ("User", "\(job.userID.description)"),
            ("Kind", job.isFullSync ? "full sync" : "incremental sync"),
            ("Created", "\(TimeText.full(job.createdAt))"),
            ("Due", job.status == .queued ? "\(TimeText.full(job.runAt))" : ""),
            ("Waits for", "\(wait ?? "")"),
            ("Started", "\(job.startedAt.map(TimeText.full) ?? "")"),
            ("Ended", "\(job.completedAt.map(TimeText.full) ?? "")"),
            ("Attempt", "\(job.attempt) of \(job.maximumAttempts)"),
            ("Put off", job.snoozes > 0 ? "\(Count.times(job.snoozes))" : ""),
            ("Workers that died", job.crashes > 0 ? "\(job.crashes)" : ""),
            ("Worker", "\(JobText.worker(job))"),
            ("Failed because", "\(job.errorMessage ?? "")"),
            ("Last fault", job.errorMessage == nil ? "\(JobText.lastError(job))" : ""),
        ]
        let items = facts.filter { !$0.1.text.isEmpty }.map { name, value -> HTML in
            "<dt>\(name)</dt><dd dir=\"auto\">\(value)</dd>"
        }
        return "<dl class=\"facts\">\(items.joined())</dl>"
    }

    private static func log(_ job: JobRecord, _ lines: [JobLogLine]) -> HTML {
        let rows = lines.map { line -> HTML in
            """
            <tr class="\(line.level.lowercased())"><td data-label="Time">\(TimeText.spaced(line.time))</td>\
            <td data-label="Level">\(line.level)</td><td data-label="Message" dir="auto">\(message(line, of: job))</td>\
            <td data-label="Note">\(line.keepNoteID ?? "")</td></tr>
            """
        }
        guard !rows.isEmpty else {
            return "<section aria-labelledby=\"log\"><h2 id=\"log\">Log</h2><p>Nothing yet.</p></section>"
        }
        let limit: HTML = lines.count == logLines ? "<p>The newest \(logLines) lines.</p>" : ""
        return """
            <section aria-labelledby="log"><h2 id="log">Log</h2>\(limit)
            <table><thead><tr><th>Time (UTC)</th><th>Level</th><th>Message</th><th>Note</th></tr></thead>
            <tbody>\(rows.joined())</tbody></table></section>
            """
    }

    /// What the workers write never holds a note's title. The service they replaced was not so careful; its jobs are
    /// those that no worker here has started.
    private static func message(_ line: JobLogLine, of job: JobRecord) -> String {
        guard job.startedAt == nil, line.keepNoteID != nil else { return line.message }
        return "A line of the service this one replaced; not shown, since it may name the note."
    }
}
