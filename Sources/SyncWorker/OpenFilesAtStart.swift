import Settings
import Support

/// Compares the limit of open files with what the settings need, when the worker starts.
struct OpenFilesAtStart {
    /// What may be open at once.
    private struct Use {
        var connections: Int
        var jobs: Int
        var notes: Int

        /// For one job at a time, with a note at a time.
        static let least = Use(connections: WorkerProgram.leastConnections, jobs: 1, notes: 1)

        var files: Int {
            // The program itself, its HTTP clients, and what is open for a moment only: requests to cancel, alerts, a
            // file of names.
            let base = 32
            // A connection is watched for reading and for writing by a descriptor of its own each. A job has its file
            // of notes and a connection, a note a connection.
            return base + connections * 3 + jobs * 2 + notes
        }

        /// As much of everything above the least as fits into a number of files.
        func fitting(into limit: Int) -> Use {
            let (room, wanted) = (limit - Self.least.files, files - Self.least.files)
            guard room < wanted else { return self }
            func share(_ least: Int, _ number: Int) -> Int { least + max(number - least, 0) * room / wanted }
            return Use(
                connections: share(Self.least.connections, connections),
                jobs: share(Self.least.jobs, jobs),
                notes: share(Self.least.notes, notes)
            )
        }
    }

    /// With which a worker can run a job.
    static var least: Int { Use.least.files }

    private let settings: ServiceSettings
    private let use: Use

    init(_ settings: ServiceSettings) {
        self.settings = settings
        use = Use(
            connections: max(settings.database.connections, WorkerProgram.leastConnections),
            jobs: settings.worker.concurrency,
            notes: settings.sync.workerNoteConcurrency
        )
    }

    /// Raises the limit if it is too low and that is allowed. Where it stays too low, less is done at once.
    ///
    /// - Returns: the settings, with a warning if they were lowered.
    /// - Throws: ``TooFewOpenFiles`` if no job could run.
    func fitted() throws -> ServiceSettings {
        let limit = try OpenFiles.require(least: Use.least.files, needed: use.files, by: "a worker")
        guard limit < use.files else { return settings }
        let lowered = use.fitting(into: limit)
        var settings = settings
        settings.database.connections = lowered.connections
        settings.worker.concurrency = lowered.jobs
        settings.sync.workerNoteConcurrency = lowered.notes
        settings.sync.noteConcurrency = min(settings.sync.noteConcurrency, lowered.notes)
        settings.warnings.append(
            """
            This machine's limit of open files is lower than these settings need: \(limit), and not \(use.files). This worker runs \
            \(Count.of(lowered.jobs, "job")) and \(Count.of(lowered.notes, "note")) at once on \(lowered.connections) connections to the database, and not \
            \(use.jobs), \(use.notes) and \(use.connections). \(OpenFiles.advice)
            """
        )
        return settings
    }
}
