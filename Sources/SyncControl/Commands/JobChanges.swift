import ArgumentParser
import JobQueue
import Postgres

extension JSONOption {
    /// Says what has become of a job: in words or, a line for each, as JSON.
    func report(_ id: JobID, _ status: String) throws {
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
    func forEachReportingRefusals(_ jobs: JobClient, _ body: (JobID) async throws -> Void) async throws {
        var statuses: Set<ExitStatus> = []
        var outputFailure: SyncControlError?
        for id in self {
            do {
                try await body(id.resolved(jobs))
            } catch let error as SyncControlError where error.code == .outputFailed {
                outputFailure = error
            } catch let error as SyncControlError where error.code == .notFound || error.code == .usage {
                StandardStream.error.fault("syncctl: \(error.message)")
                statuses.insert(error.code.status)
            } catch let error as PostgresError where error.mayHaveTakenEffect {
                throw SyncControlError.unconfirmed(error, outcomeCheck: "syncctl jobs \(id)")
            } catch let error as JobQueueError {
                let failure = Failure(error)
                StandardStream.error.fault("syncctl: \(failure.message)")
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

extension BulkOptions {
    /// Whether anything of it is given.
    var isAnyGiven: Bool { filter.isAnyGiven || isDryRun || isConfirmed }

    /// Jobs are named by their ids or found by options, and not by nothing: that would be all there are.
    ///
    /// - Parameters:
    ///   - isAnyOtherGiven: whether an option is given that says how those are changed that are found.
    ///   - other: what finds the jobs in another way.
    func validate(besides jobs: [JobReference], isAnyOtherGiven: Bool, orElse other: String? = nil) throws {
        if !jobs.isEmpty, isAnyGiven || isAnyOtherGiven {
            throw ValidationError("The jobs are named: leave out their ids, or the options that find jobs.")
        }
        if jobs.isEmpty, other == nil, !filter.isAnyGiven {
            throw ValidationError("Missing: the jobs, or one of --status, --since, --cause, --error and --user.")
        }
    }
}
