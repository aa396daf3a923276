import ArgumentParser
import JobQueue
import Postgres

/// `syncctl retry`.
struct RetryCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Put ended jobs into the queue again, or make waiting ones due now.",
        usage: """
            syncctl retry <job-id> ... [--lock-timeout <time>] [--json]
            syncctl retry [--status <words>] [--since <time>] [--cause <key>]
                [--error <text>] [--user <user>] ... [--every] [--over <time>]
                [--dry-run] [--yes] [--json]
            syncctl retry --failed-since <time> [--lock-timeout <time>] [--json]
            """,
        discussion: """
            A failed or cancelled job goes on where it stopped; a completed one starts afresh. All attempts are allowed again.

            Without job ids the options say which: all that match every one of them, by default those that failed. Of each user \
            only the newest is taken, as one run syncs all notes, and none where another job of the user is queued or runs; --every \
            takes all. The command asks, with the number, and says what was done and what was left out. The jobs come due one after \
            the other, ten a second unless --over says in what time. Ctrl-C stops it between two steps of \(JobClient.bulkStep) jobs; \
            the same command then goes on. --json prints one answer for all.

            After an outage --failed-since names the jobs that failed because their attempts were used up, not those that failed at \
            once of a fault of the user's own, such as a token, and does not ask. --json prints a line for each job.

            Examples:
              syncctl retry 6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11
              syncctl retry --status failed --since 12h --dry-run
              syncctl retry --since 12h --cause 4f1a0c7be2d9 --yes
              syncctl retry --error "does not answer" --over 1h
              syncctl retry --failed-since 2h
            """
    )

    @Argument(help: .init("The jobs.", valueName: "job-id"), transform: JobReference.argument)
    var jobIDs: [JobReference] = []
    @Option(
        name: .customLong("failed-since"),
        parsing: .unconditional,
        help: "All jobs whose last attempt failed no longer ago than this: 90m, 2h.",
        transform: Duration.argument
    )
    var age: Duration?
    @Flag(
        name: .customLong("every"),
        help: "Every job that matches, not only the newest of each user who has none queued or running."
    )
    var takesEvery = false
    @Option(
        name: .customLong("over"),
        parsing: .unconditional,
        help: "The time over which the jobs come due, one after the other: 10m, 2h, up to 7d.",
        transform: Duration.argument(upTo: .seconds(7 * 86400))
    )
    var time: Duration?
    @OptionGroup var bulk: BulkOptions
    @OptionGroup var lock: LockOption
    @OptionGroup var json: JSONOption

    /// Jobs of `--failed-since` that are due now.
    private static let dueAtOnce = 50

    var lockPatience: Duration { lock.patience }
    var outcomeCheck: String? { jobIDs.isEmpty ? "syncctl jobs --status queued" : "syncctl jobs" }
    var endsBySignals: Bool { jobIDs.isEmpty }

    func validate() throws {
        if age != nil, !jobIDs.isEmpty { throw ValidationError("--failed-since finds the jobs: leave out their ids.") }
        if age != nil, bulk.isAnyGiven || takesEvery || time != nil {
            throw ValidationError(
                "--failed-since stands alone. With other options: --status failed --since, which asks."
            )
        }
        try bulk.validate(
            besides: jobIDs,
            isAnyOtherGiven: takesEvery || time != nil,
            orElse: age.map { _ in "--failed-since" }
        )
        if let unended = bulk.filter.statuses.first(where: { [.queued, .running].contains($0) }) {
            let advice =
                unended == .running ? "cancel it first, or wait for its end" : "syncctl retry JOB makes one due now"
            throw ValidationError("A job that is \(unended.rawValue) has not ended: \(advice).")
        }
    }

    func run(_ session: DatabaseSession) async throws {
        if jobIDs.isEmpty, age == nil {
            return try await BulkChange(
                action: .retry,
                options: bulk,
                statuses: bulk.filter.statuses.isEmpty ? [.failed] : bulk.filter.statuses,
                takesEvery: takesEvery,
                time: time,
                session: session,
                json: json
            ).run()
        }
        var jobIDs = jobIDs
        if let age { jobIDs = try await session.jobs.exhausted(within: age).map(JobReference.id) }
        guard !jobIDs.isEmpty else {
            return StandardStream.error.note(
                "No job has used up its attempts in that time. See: syncctl jobs --status failed"
            )
        }
        var made: [(id: JobID, gates: [String])] = []
        let outcome = await Result {
            try await jobIDs.forEachReportingRefusals(session.jobs) { id in
                // Once it is due, its row no longer names the gate that it has waited for.
                let gates = made.count < WaitNotice.limit ? try await self.gates(before: id, session) : []
                // Many at once come due one after the other.
                let later = age == nil ? 0 : max(0, made.count - Self.dueAtOnce)
                let delay = BulkChange.usualSpacing * Double(later)
                try await session.jobs.retry(id, dueIn: delay, lockTimeout: lock.timeout)
                made.append((id, gates))
                try json.report(id, "queued")
            }
        }
        await WaitNotice(jobs: session.jobs).tell(made)
        try outcome.get()
    }

    /// The gates that the jobs of its user wait for.
    private func gates(before id: JobID, _ session: DatabaseSession) async throws -> [String] {
        guard let user = try await session.jobs.job(id)?.userID else { return [] }
        return await session.gates(of: user)
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
