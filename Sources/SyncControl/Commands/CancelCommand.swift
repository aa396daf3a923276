import ArgumentParser
import JobQueue
import Postgres

/// `syncctl cancel`.
struct CancelCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancel queued or running jobs. Their workers stop within a second.",
        discussion: """
            Pages that were written already stay. --json prints a line for each job.

            Example:
              syncctl cancel 6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11
            """
    )

    @Argument(help: .init("The jobs.", valueName: "job-id"), transform: JobReference.argument)
    var jobIDs: [JobReference]
    @OptionGroup var lock: LockOption
    @OptionGroup var json: JSONOption

    var lockPatience: Duration { lock.patience }
    var outcomeCheck: String? { "syncctl jobs" }

    func run(_ session: DatabaseSession) async throws {
        try await jobIDs.forEachReportingRefusals(session.jobs) { id in
            try await session.jobs.cancel(id, lockTimeout: lock.timeout)
            try json.report(id, "cancelled")
        }
    }
}

/// `syncctl retry`.
struct RetryCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Put ended jobs into the queue again, or make waiting ones due now.",
        usage: """
            syncctl retry <job-id> ... [--lock-timeout <time>] [--json]
            syncctl retry --failed-since <time> [--lock-timeout <time>] [--json]
            """,
        discussion: """
            A failed or cancelled job goes on where it stopped; a completed one starts afresh. All attempts are allowed again.

            After an outage --failed-since names the jobs that failed because their attempts were used up, not those that failed at \
            once of a fault of the user's own, such as a token. --json prints a line for each job.

            Examples:
              syncctl retry 6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11
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
    @OptionGroup var lock: LockOption
    @OptionGroup var json: JSONOption

    var lockPatience: Duration { lock.patience }
    var outcomeCheck: String? { "syncctl jobs" }

    func validate() throws {
        guard jobIDs.isEmpty != (age == nil) else {
            throw ValidationError(
                jobIDs.isEmpty
                    ? "Missing: the jobs, or --failed-since." : "--failed-since finds the jobs: leave out their ids."
            )
        }
    }

    func run(_ session: DatabaseSession) async throws {
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
                try await session.jobs.retry(id, lockTimeout: lock.timeout)
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

extension JSONOption {
    /// Says what has become of a job: in words or, a line for each, as JSON.
    fileprivate func report(_ id: JobID, _ status: String) throws {
        let words = "Job \(id) is \(status)."
        guard isWanted else { return try StandardStream.report(words) }
        try (["job_id": .string(id.description), "status": .string(status)] as JSONValue).report(inWords: words)
    }
}

/// `--lock-timeout`.
struct LockOption: ParsableArguments {
    @Option(
        name: .customLong("lock-timeout"),
        parsing: .unconditional,
        help: "Wait no longer than this for a job that another session has locked: 5s, up to 25s, the default.",
        // A statement is given up after 30 s, without a word on locks.
        transform: Duration.argument(upTo: .seconds(25))
    )
    var timeout = Duration.seconds(25)

    /// Who holds the lock is said before the wait for it is over.
    var patience: Duration { min(.seconds(2), timeout / 2) }
}

extension [JobReference] {
    /// Does something with each job; one that is refused does not keep the others from their turn, nor does output that
    /// can't be written.
    ///
    /// - Throws: `ExitCode` of the refusals, which have been told already: `notFound` if all were unknown jobs;
    ///   `SyncControlError` with code `outputFailed`.
    fileprivate func forEachReportingRefusals(_ jobs: JobClient, _ body: (JobID) async throws -> Void) async throws {
        var statuses: Set<ExitStatus> = []
        var outputFailure: SyncControlError?
        for id in self {
            do {
                try await body(id.resolved(jobs))
            } catch let error as SyncControlError where error.code == .outputFailed {
                outputFailure = error
            } catch let error as SyncControlError where error.code == .notFound || error.code == .usage {
                StandardStream.error.note("syncctl: \(error.message)")
                statuses.insert(error.code.status)
            } catch let error as PostgresError where error.mayHaveTakenEffect {
                throw SyncControlError.unconfirmed(error, outcomeCheck: "syncctl jobs \(id)")
            } catch let error as JobQueueError {
                let failure = Failure(error)
                StandardStream.error.note("syncctl: \(failure.message)")
                statuses.insert(failure.status)
            } catch let error as PostgresError where error.sqlState == .lockNotAvailable {
                StandardStream.error.note(
                    "syncctl: Another session holds job \(id), which was left as it is. End that session, or try again."
                )
                statuses.insert(.failed)
            }
        }
        if let outputFailure { throw outputFailure }
        guard let status = statuses.count > 1 ? .failed : statuses.first else { return }
        throw status.code
    }
}
