import ArgumentParser
import JobQueue

/// `syncctl watch`.
struct WatchCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Follow a job until it ends.",
        discussion: """
            A progress bar on a terminal, otherwise a line for every change. Exit code 0 when the job completed with all its notes, \
            3 when it completed and some notes failed, 2 when more than half of them did, 1 when it failed, was cancelled or has a \
            status that no worker knows. Ctrl-C ends the watching, not the job. --json prints an object for every change.

            Example:
              syncctl watch 6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11
            """
    )

    @Argument(help: "The job.", transform: JobReference.argument)
    var jobID: JobReference
    @Option(
        parsing: .unconditional,
        help: "Stop watching after so long, with exit code 75: 90s, 10m, 2h.",
        transform: Duration.argument
    )
    var timeout: Duration?
    @OptionGroup var json: JSONOption

    func run(_ session: DatabaseSession) async throws {
        let jobID = try await jobID.resolved(session.jobs)
        guard let user = try await session.jobs.job(jobID)?.userID else { throw SyncControlError.noJob(jobID) }
        let gates = await session.gates(of: user)
        let watcher = JobWatcher(pool: session.pool, id: jobID, timeout: timeout, gates: gates)
        switch try await watcher.watch(json.isWanted ? .json(on: .output) : .on(.output)) {
        case .ended(let job): throw ExitStatus(job).code
        case .timedOut(let last):
            let isWorked = try await watcher.isAnyWorkerRunning()
            throw SyncControlError.stillRunning(last, after: timeout, isWorked: isWorked)
        case .interrupted: throw SyncControlError.watchedNoLonger(jobID)
        }
    }
}

extension ExitStatus {
    /// What a job that has ended makes the program exit with.
    init(_ job: JobRecord) {
        switch job.status {
        case .completed where job.isMostlyFailed: self = .mostNotesFailed
        case .completed: self = job.failedNotes > 0 ? .notesFailed : .done
        default: self = .failed
        }
    }
}

extension SyncControlError {
    /// Why a job does not go on.
    static let noWorker = "no worker is running: it waits until one is started"
    static let runOutside = "its status was set from outside: no worker runs it, or ends it"

    static func noJob(_ id: JobID) -> SyncControlError {
        SyncControlError(.notFound, "There is no job \(id). See the newest with: syncctl jobs")
    }

    static func watchedNoLonger(_ id: JobID) -> SyncControlError {
        SyncControlError(
            .interrupted,
            "No longer watching, which stops nothing. Look at the job with: syncctl jobs \(id) — stop it with: syncctl cancel \(id)"
        )
    }

    /// - Parameter isWorked: whether a worker is running.
    static func stillRunning(_ last: JobSnapshot, after timeout: Duration?, isWorked: Bool) -> SyncControlError {
        let job = last.job
        let time = timeout.map { " after \(TimeText.rough($0))" } ?? ""
        if job.isRunOutside {
            return SyncControlError(
                .stillRunning,
                "Job \(job.id) is still running\(time), and \(runOutside). If nothing else does, run: syncctl cancel \(job.id)"
            )
        }
        let course = last.hold.map { " and \($0)" } ?? (isWorked ? " and goes on" : ", and \(noWorker)")
        return SyncControlError(
            .stillRunning,
            "Job \(job.id) is still \(job.status.rawValue)\(time)\(course). Follow it with: syncctl watch \(job.id)"
        )
    }
}
