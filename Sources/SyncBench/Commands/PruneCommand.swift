import ArgumentParser
import Foundation
import Postgres
import Support
import TestSupport

/// How fast a backlog of old jobs is deleted, and what that costs the jobs that are run meanwhile.
struct PruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract:
            "Deletes a backlog of finished jobs beside a worker that runs jobs; fails if claims take more than twice as long.",
        usage: "sync-bench prune [<options>]",
        discussion: """
            Ten jobs a second are put into the queue, first with nothing old enough to be deleted, then with the whole backlog. What \
            is compared is the median of the time from their INSERT to their claim.

            Example:
              sync-bench prune --finished 1000000
            """
    )

    @Option(help: "Finished jobs, at most 10 million.") var finished = 1_000_000
    @Option(help: "Seconds without anything to delete.") var seconds = 60
    @Option(help: "Minutes after which it is enough, with or without jobs left.") var limit = 15

    /// Of those there are: old ones are all older than a day.
    private static let retention = "1d"
    private static let longRetention = "3650d"
    private static let jobPause = Duration.milliseconds(100)

    func validate() throws {
        guard (1...10_000_000).contains(finished), seconds > 0, limit > 0 else {
            throw ValidationError("a number is out of range")
        }
    }

    func run() async throws {
        let server = try await BenchServer.start()
        let seen: (without: Observation, with: Observation)
        do {
            seen = try await measure(on: server)
            try await server.stop()
        } catch {
            try await server.stop()
            throw error
        }
        let (without, with) = seen
        print(
            """
            deleted      \(format(Double(with.deleted))) of \(format(Double(finished))) jobs in \(format(with.seconds)) s: \
            \(format(Double(with.deleted) / with.seconds)) a second
            claim after  \(format(without.claim)) ms without, \(format(with.claim)) ms meanwhile: \
            \(format(with.claim / without.claim)) times as long
            """
        )
        guard with.claim <= 2 * without.claim else { throw ExitCode(1) }
    }

    private func measure(on server: BenchServer) async throws -> (without: Observation, with: Observation) {
        let database = try await server.makeDatabase("prune")
        try await History(database: database).addFinishedJobs(until: finished, having: 0)
        let without = try await watch(database, retention: Self.longRetention, atMost: .seconds(seconds))
        let with = try await watch(database, retention: Self.retention, atMost: .seconds(limit * 60))
        try await server.drop(database)
        return (without, with)
    }

    /// What was seen while a worker ran.
    private struct Observation {
        var deleted = 0
        var seconds = 0.0
        /// The median of the time from the INSERT of a job to its claim, in milliseconds.
        var claim = 0.0
    }

    /// Runs a worker, and jobs, until the backlog is deleted.
    private func watch(_ database: BenchDatabase, retention: String, atMost limit: Duration) async throws -> Observation
    {
        let installation = try await SyncInstallation.start(on: database)
        let users = (0..<200).map { "2-200-\($0)" }
        // Each installation has keys of its own, and knows nothing of what another has hashed.
        for table in ["credentials", "sync_installation_keys", "sync_state", "sync_failed_notes"] {
            try await database.pool.execute("DELETE FROM \(identifier: table)")
        }
        try await installation.addUsers(users)
        let firstDeleted = try await deleted(in: database)
        let worker = try await installation.startWorker(["SYNC_JOB_RETENTION": retention, "LOG_LEVEL": "notice"])
        let began = ContinuousClock.now
        let since =
            try await database.pool.query("SELECT timezone('utc', clock_timestamp())::text AS at").first?
            .decode("at", as: String.self) ?? "-infinity"
        var seen = Observation()
        var jobs = 0
        while ContinuousClock.now - began < limit, seen.deleted < finished {
            try await installation.enqueue([users[jobs % users.count]], full: false)
            jobs += 1
            try await DeadlineQueue.shared.sleep(until: began + Self.jobPause * jobs)
            if jobs.isMultiple(of: 10) { seen.deleted = try await deleted(in: database) - firstDeleted }
        }
        seen.seconds = (ContinuousClock.now - began) / .seconds(1)
        try await installation.waitUntilDone(within: .seconds(120), of: users)
        seen.claim = try await claimTime(in: database, of: users, since: since)
        try await installation.stop(worker)
        await installation.stop()
        return seen
    }

    private func deleted(in database: BenchDatabase) async throws -> Int {
        try await database.count("SELECT n_tup_del FROM pg_stat_user_tables WHERE relname = 'sync_jobs'")
    }

    private func claimTime(in database: BenchDatabase, of users: [String], since: String) async throws -> Double {
        let rows = try await database.pool.query(
            """
            SELECT percentile_cont(0.5) WITHIN GROUP (
                ORDER BY extract(epoch FROM timezone('utc', started_at) - created_at)::float8 * 1000) AS median
            FROM sync_jobs WHERE user_id = ANY (\(users)) AND created_at >= \(since)::timestamp AND started_at IS NOT NULL
            """
        )
        return try rows.first?.decode("median", as: Double?.self) ?? .nan
    }
}
