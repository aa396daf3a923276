import ArgumentParser
import Foundation
import JobQueue
import NoteSync
import Postgres

/// `syncctl enqueue`.
struct EnqueueCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "enqueue",
        abstract: "Put a sync of a user into the queue, and wait for its end if wanted.",
        usage: "syncctl enqueue <user> [--full] [--at <time>] [--wait] [<options>]",
        discussion: """
            Prints the job's id. With --wait the exit code is 0 when the job completed with all its notes, 3 when it completed and \
            some notes failed, 2 when more than half of them did, 1 when it failed or was cancelled, and progress goes to stderr. --wait --json prints \
            {"job_id", "status": "completed|failed", "summary": {"total_notes", "processed_notes", "failed_notes"}, "error"}; \
            when --timeout has passed, the status is that of the job and the exit code 75.

            Where the database has not confirmed the job, which may be in the queue all the same, the id is printed too, with the \
            status "unknown", and the exit code is 69.

            Examples:
              syncctl enqueue anna@example.org
              syncctl enqueue anna@example.org --full --wait
              syncctl enqueue anna@example.org --at 2026-12-24T03:00 --priority 5
              syncctl enqueue anna@example.org --wait --timeout 30m --json
            """
    )

    @Argument(help: "The user.", transform: UserID.newArgument)
    var user: UserID
    @Flag(
        name: .customLong("full"),
        help: "Fetch every note, not only those changed since the last sync, and write what is not up to date."
    )
    var isFullSync = false
    // A negative number would be taken for an option.
    @Option(parsing: .unconditional, help: "Smaller runs first, from -100 to 100; the gateway's jobs have 0.")
    var priority = 0
    @Option(
        name: .customLong("at"),
        parsing: .unconditional,
        help: "When it becomes due: \(DueTime.allowed).",
        transform: DueTime.argument
    )
    var dueTime: DueTime?
    @Flag(name: .customLong("wait"), help: "Wait until the job has ended.")
    var waits = false
    @Option(parsing: .unconditional, help: "Wait no longer than this: 90s, 10m, 2h.", transform: Duration.argument)
    var timeout: Duration?
    @Flag(name: .customLong("force"), help: "Enqueue even if the user has no credentials yet, and run even if paused.")
    var isForced = false
    @OptionGroup var json: JSONOption

    func validate() throws {
        guard -100...100 ~= priority else {
            throw ValidationError("--priority is \(priority); expected -100 to 100.")
        }
        guard timeout == nil || waits else {
            throw ValidationError("--timeout is for --wait only.")
        }
    }

    var outcomeCheck: String? { user.shellCommand(withOption: "syncctl jobs") }

    func run(_ session: DatabaseSession) async throws {
        if !isForced, try await !CredentialStore(pool: session.pool).exists(user) {
            throw SyncControlError(
                .notFound,
                "There are no credentials for user \(user). Store them with: "
                    + user.shellCommand("syncctl credentials set", "--database-id ID")
                    + " — or enqueue all the same with --force."
            )
        }
        let id = JobID()
        let dueDate = try await dueDate(session.jobs)
        do {
            try await session.jobs.enqueue(
                id,
                user: user,
                fullSync: isFullSync,
                priority: priority,
                runAt: dueDate,
                isForced: isForced
            )
        } catch let error as PostgresError where error.mayHaveTakenEffect {
            // It may be run: whoever asked for it needs its name. The error has it too, where this can't be written.
            try? report(id, status: "unknown")
            throw SyncControlError.unconfirmed(error, outcomeCheck: "syncctl jobs \(id)")
        }
        // The job is in the queue, whether or not that can be told.
        let reported = Result { if !waits || !json.isWanted { try report(id, status: "queued") } }
        let gates = await session.gates(of: user)
        await WaitNotice(jobs: session.jobs).tell([(id, gates)])
        try reported.get()
        if waits { try await wait(for: id, behind: gates, session.pool) }
    }

    private func dueDate(_ jobs: JobClient) async throws -> Date? {
        switch dueTime {
        case nil: nil
        case .at(let date): date
        case .after(let duration): try await jobs.databaseTime().addingTimeInterval(duration.seconds)
        }
    }

    private func report(_ id: JobID, status: String) throws {
        let words = status == "queued" ? "Job \(id) is queued." : "Job \(id) may be queued."
        if json.isWanted {
            try (["job_id": .string(id.description), "status": .string(status)] as JSONValue).report(inWords: words)
        } else {
            try StandardStream.report("\(id)", inWords: words)
        }
    }

    private func report(_ answer: SyncAnswer) throws {
        try answer.json.report(inWords: "Job \(answer.job.id) is \(answer.job.status.rawValue.singleLine).")
    }

    private func wait(for id: JobID, behind gates: [String], _ pool: PostgresPool) async throws {
        let watcher = JobWatcher(pool: pool, id: id, timeout: timeout, gates: gates)
        switch try await watcher.watch(json.isWanted ? .onTerminal(.error) : .on(.error)) {
        case .ended(let job):
            if json.isWanted { try report(SyncAnswer(job)) }
            throw ExitStatus(job).code
        case .timedOut(let last):
            let isWorked = try await watcher.isAnyWorkerRunning()
            if json.isWanted { try report(SyncAnswer(last.job, isWorked: isWorked, hold: last.hold)) }
            throw SyncControlError.stillRunning(last, after: timeout, isWorked: isWorked)
        case .interrupted:
            throw SyncControlError.watchedNoLonger(id)
        }
    }
}
