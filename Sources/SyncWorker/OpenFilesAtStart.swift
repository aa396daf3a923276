import Logging
import Settings
import Support

/// Compares the limit of open files with what the settings need, when the worker starts.
struct OpenFilesAtStart {
    /// For all that the settings allow to happen at once.
    let needed: Int
    /// For one job at a time, with a note at a time.
    let least: Int

    init(_ settings: ServiceSettings) {
        let connections = settings.database.connections + 1
        needed = Self.count(
            connections: connections,
            jobs: settings.worker.concurrency,
            notes: settings.sync.workerNoteConcurrency
        )
        least = Self.count(connections: min(connections, 4), jobs: 1, notes: 1)
    }

    private static func count(connections: Int, jobs: Int, notes: Int) -> Int {
        // The program itself, its HTTP clients, and what is open for a moment only: requests to cancel, alerts, a file of names.
        let base = 32
        // A connection is watched for reading and for writing by a descriptor of its own each. A job has its file of notes and a
        // connection, a note a connection.
        return base + connections * 3 + jobs * 2 + notes
    }

    /// Raises the limit if it is too low and that is allowed.
    ///
    /// - Throws: `TooFewOpenFiles` if no job could run with it.
    func check(_ logger: Logger) throws {
        let limit = OpenFiles.raise(toward: needed)
        guard limit >= least else { throw TooFewOpenFiles(limit: limit, least: least, needed: needed) }
        guard limit < needed else { return }
        logger.warning(
            """
            This machine's limit of open files is lower than these settings may need; jobs that reach it are put off. \
            \(OpenFiles.advice) Or lower SYNC_DATABASE_CONNECTIONS, SYNC_WORKER_CONCURRENCY and SYNC_WORKER_NOTE_CONCURRENCY.
            """,
            metadata: ["limit": "\(limit)", "needed": "\(needed)"]
        )
    }
}

/// No job could run.
struct TooFewOpenFiles: Error, CustomStringConvertible {
    let limit: Int
    let least: Int
    let needed: Int

    var description: String {
        "This machine's limit of open files is \(limit); a worker needs \(least) at least, and \(needed) with these settings. "
            + OpenFiles.advice
    }
}
