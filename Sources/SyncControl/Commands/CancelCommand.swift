import ArgumentParser
import JobQueue
import Postgres

/// `syncctl cancel`.
struct CancelCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancel queued or running jobs. Their workers stop within a second.",
        usage: """
            syncctl cancel <job-id> ... [--lock-timeout <time>] [--json]
            syncctl cancel [--status <words>] [--since <time>] [--error <text>]
                [--user <user>] ... [--dry-run] [--yes] [--json]
            """,
        discussion: """
            Pages that were written already stay. --json prints a line for each job.

            Without job ids the options say which: all that match every one of them, by default those that are queued or run. \
            The command then asks, with the number, and says what was done and what was left out. Ctrl-C stops it between two \
            steps of \(JobClient.bulkStep) jobs. --json prints one answer for all.

            Examples:
              syncctl cancel 6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11
              syncctl cancel --user anna@example.org
              syncctl cancel --status queued --since 1h --dry-run
            """
    )

    @Argument(help: .init("The jobs.", valueName: "job-id"), transform: JobReference.argument)
    var jobIDs: [JobReference] = []
    @OptionGroup var bulk: BulkOptions
    @OptionGroup var lock: LockOption
    @OptionGroup var json: JSONOption

    var lockPatience: Duration { lock.patience }
    var outcomeCheck: String? { jobIDs.isEmpty ? "syncctl jobs --status cancelled" : "syncctl jobs" }
    var endsBySignals: Bool { jobIDs.isEmpty }

    private static let statuses: [JobStatus] = [.queued, .running]

    func validate() throws {
        try bulk.validate(besides: jobIDs, isAnyOtherGiven: false)
        if let ended = bulk.filter.statuses.first(where: { [.completed, .failed, .cancelled].contains($0) }) {
            throw ValidationError("A job that is \(ended.rawValue) has ended: --status takes queued and running.")
        }
        if bulk.filter.cause != nil { throw ValidationError("--cause finds failed jobs, which have ended.") }
    }

    func run(_ session: DatabaseSession) async throws {
        guard !jobIDs.isEmpty else {
            return try await BulkChange(
                action: .cancel,
                options: bulk,
                statuses: bulk.filter.statuses.isEmpty ? Self.statuses : bulk.filter.statuses,
                session: session,
                json: json
            ).run()
        }
        try await jobIDs.forEachReportingRefusals(session.jobs) { id in
            try await session.jobs.cancel(id, lockTimeout: lock.timeout)
            try json.report(id, "cancelled")
        }
    }
}
