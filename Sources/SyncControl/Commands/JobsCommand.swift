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
            syncctl jobs <job-id> --log [--level <level>] [--follow] [--json]
            syncctl jobs [--user <user>] [--status <words>] [--since <time>]
                [--cause <key>] [--error <text>] [--with-failed-notes]
                [--limit <jobs>] [--json]
            """,
        discussion: """
            WAITS FOR is the first of what syncctl why says of a job. On a terminal ids are shortened to what tells a job from all \
            others; every command takes them so.

            --log prints the whole log, a line each with its date. With --follow it goes on until the job has ended; Ctrl-C ends \
            only the following. With --json each line is an object.

            Examples:
              syncctl jobs
              syncctl jobs --user anna@example.org --status failed,cancelled
              syncctl jobs --since 12h --error "does not answer"
              syncctl jobs --with-failed-notes
              syncctl jobs 6f1c2f9e    # the beginning will do if no other job begins so
              syncctl jobs 6f1c2f9e --log --level warning --follow
              syncctl jobs --json | jq -r '.[] | select(.attempt > 1) | .job_id'
            """
    )

    private static let defaultJobs = 20
    private static let defaultLines = 1000

    @Argument(help: "Show this job with its log.", transform: JobReference.argument)
    var jobID: JobReference?
    @OptionGroup var filter: JobFilterOptions
    @Flag(name: .customLong("with-failed-notes"), help: "Jobs of which some notes failed.")
    var hasFailedNotes = false
    @OptionGroup var log: JobLogOptions
    // A negative number would be taken for an option.
    @Option(
        parsing: .unconditional,
        help: "At most so many jobs (default: \(defaultJobs)), or newest lines of the log (\(defaultLines))."
    )
    var limit: Int?
    @OptionGroup var json: JSONOption

    var endsBySignals: Bool { log.isFollowed }

    func validate() throws {
        guard limit.map({ $0 > 0 }) ?? true else { throw ValidationError("--limit must be 1 or more.") }
        guard jobID == nil || !filter.isAnyGiven && !hasFailedNotes else {
            throw ValidationError(
                "--user, --status and the other filters are for the list; leave them out to show one job."
            )
        }
        try log.validate(ofJob: jobID != nil, isLimited: limit != nil)
    }

    func run(_ session: DatabaseSession) async throws {
        guard let jobID else { return try await list(session) }
        let id = try await jobID.resolved(session.jobs)
        if log.isWanted {
            try await JobLog(id: id, options: log, jobs: session.jobs, isJSON: json.isWanted).print()
        } else {
            try await show(id, session)
        }
    }

    private func show(_ id: JobID, _ session: DatabaseSession) async throws {
        let jobs = session.jobs
        guard let job = try await jobs.job(id) else { throw SyncControlError.noJob(id) }
        let limit = limit ?? Self.defaultLines
        // One more tells whether there are more, which there can't be than the largest number.
        let lines = try await jobs.logs(of: id, limit: min(limit, .max - 1) + 1)
        let logs = Array(lines.suffix(limit))
        let gates = await session.gates(of: job.userID)
        let waits = try await jobs.holds(on: id, behind: Peer.gates + gates)
        let unknown = try await UnknownWrites(pool: session.pool).count(leftBehindBy: id, user: job.userID)
        if json.isWanted {
            try job.json(logs, waits, unknownWrites: unknown, hasMoreLines: lines.count > limit).print()
        } else {
            let details = JobDetails(
                job: job,
                waits: waits,
                unknownWrites: unknown,
                logs: logs,
                hasMoreLines: lines.count > limit
            )
            try StandardStream.output.write(details.text)
        }
    }

    private var nothingFound: String {
        if case .unknown(let word) = filter.statuses.first(where: { !JobStatus.allCases.contains($0) }) {
            let meant = Likeness.question(word, among: JobStatus.allCases.map(\.rawValue))
            return
                "No such jobs. \"\(word.singleLine)\" is no status of this service.\(meant) There are: \(JobFilterOptions.statusWords)."
        }
        return filter.isAnyGiven || hasFailedNotes
            ? "No such jobs." : "There are no jobs. Make one with: syncctl enqueue USER"
    }

    private func list(_ session: DatabaseSession) async throws {
        let limit = limit ?? Self.defaultJobs
        var jobs: [JobRecord] = []
        for filter in filter.filters(hasFailedNotes: hasFailedNotes) {
            jobs += try await session.jobs.jobs(filter, limit: limit)
        }
        // Those of several users come one after the other.
        if filter.users.count > 1 { jobs = Array(jobs.sorted { $0.createdAt > $1.createdAt }.prefix(limit)) }
        if json.isWanted {
            let waits = try await session.jobs.waits(of: jobs, behind: Peer.gates)
            let causes = try await causes(of: jobs, session)
            try JSONValue.array(jobs.map { $0.json(waits[$0.id], cause: causes[$0.id]) }).print()
        } else if jobs.isEmpty {
            for user in filter.users { try await session.refuseUnlessKnown(user) }
            StandardStream.error.note(nothingFound)
        } else {
            try await JobTable.load(jobs, session).print()
        }
    }

    private func causes(of jobs: [JobRecord], _ session: DatabaseSession) async throws -> [JobID: String] {
        let failed = jobs.filter { $0.status == .failed }.map(\.id)
        return try await session.jobs.causes(of: failed)
    }
}
