import ArgumentParser
import FlowControl
import JobQueue
import NoteSync
import ServiceHealth

/// `syncctl jobs`.
struct JobsCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "List jobs, the newest first, or show one with its log.",
        usage: """
            syncctl jobs <job-id> [--limit <lines>] [--json]
            syncctl jobs [--user <user>] [--status <word>] [--limit <jobs>] [--json]
            """,
        discussion: """
            Examples:
              syncctl jobs
              syncctl jobs --user anna@example.org --status failed
              syncctl jobs 6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11
              syncctl jobs 6f1c2f9e    # the beginning will do if no other job begins so
              syncctl jobs --json | jq -r '.[] | select(.attempt > 1) | .job_id'
            """
    )

    private static let statuses = JobStatus.allCases.map(\.rawValue).joined(separator: ", ")
    private static let defaultJobs = 20
    private static let defaultLines = 1000

    @Argument(help: "Show this job with its log.", transform: JobReference.argument)
    var jobID: JobReference?
    @Option(help: "Only jobs of this user.", transform: UserID.argument)
    var user: UserID?
    @Option(
        help: "Only jobs with this status: \(Self.statuses), or another that somebody has written.",
        transform: JobStatus.argument
    )
    var status: JobStatus?
    // A negative number would be taken for an option.
    @Option(
        parsing: .unconditional,
        help: "At most so many jobs (default: \(defaultJobs)), or newest lines of the log (\(defaultLines))."
    )
    var limit: Int?
    @OptionGroup var json: JSONOption

    func validate() throws {
        guard limit.map({ $0 > 0 }) ?? true else { throw ValidationError("--limit must be 1 or more.") }
        guard jobID == nil || (user == nil && status == nil) else {
            throw ValidationError("--user and --status are for the list; leave them out to show one job.")
        }
    }

    func run(_ session: DatabaseSession) async throws {
        if let jobID {
            try await show(jobID.resolved(session.jobs), session)
        } else {
            try await list(session)
        }
    }

    private func show(_ id: JobID, _ session: DatabaseSession) async throws {
        let jobs = session.jobs
        guard let job = try await jobs.job(id) else { throw SyncControlError.noJob(id) }
        let logs = try await jobs.logs(of: id, limit: limit ?? Self.defaultLines)
        let gates = await session.gates(of: job.userID)
        let waits = try await jobs.holds(on: id, behind: Peer.gates + gates)
        let unknown = try await UnknownWrites(pool: session.pool).count(leftBehindBy: id, user: job.userID)
        if json.isWanted {
            try job.json(logs, waits, unknownWrites: unknown).print()
        } else {
            let details = JobDetails(job: job, waits: waits, unknownWrites: unknown, logs: logs)
            try StandardStream.output.write(details.text)
        }
    }

    private var nothingFound: String {
        if case .unknown(let word) = status {
            return "No such jobs. \"\(word.singleLine)\" is no status of this service; there are: \(Self.statuses)."
        }
        return user == nil && status == nil ? "There are no jobs. Make one with: syncctl enqueue USER" : "No such jobs."
    }

    private func list(_ session: DatabaseSession) async throws {
        let client = session.jobs
        let jobs = try await client.jobs(user: user, status: status, limit: limit ?? Self.defaultJobs)
        if json.isWanted {
            try JSONValue.array(jobs.map(\.json)).print()
        } else if jobs.isEmpty {
            try await session.refuseUnlessKnown(user)
            StandardStream.error.note(nothingFound)
        } else {
            let table = JobTable(jobs: jobs, now: try await client.databaseTime())
            try StandardStream.output.write(table.text(width: StandardStream.output.width))
        }
    }
}
