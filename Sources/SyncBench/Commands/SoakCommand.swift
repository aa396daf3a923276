import ArgumentParser
import Foundation
import Postgres
import Support
import TestSupport

/// Whether a worker that does the same for a long time needs no more for it at the end than at the beginning.
struct SoakCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak",
        abstract: "Watches memory, descriptors and connections of a worker over a steady load; fails if they grow.",
        usage: "sync-bench soak [<options>]",
        discussion: """
            Each job is the first sync of a new user. The medians of the first and of the last fifth of the time after the warm-up \
            are compared; there may never be more connections than the worker was allowed. A line a minute goes to standard error.

            Example:
              sync-bench soak --minutes 60 --rate 10
            """
    )

    @Option(help: "How long the worker is watched, in minutes.") var minutes = 60.0
    @Option(help: "Jobs a second.") var rate = 10
    @Option(help: "Notes of each job.") var notes = 2
    @Option(help: "How long it may grow first, in minutes.") var warmUp = 5.0
    @Option(help: "Megabytes that it may grow after that.") var limit = 2.0
    @Option(help: "Connections to the database that it may have.") var connections = 10

    func validate() throws {
        guard minutes > 0, warmUp >= 0, rate > 0, notes >= 0, connections >= 4 else {
            throw ValidationError("a number is too small")
        }
    }

    func run() async throws {
        let server = try await BenchServer.start()
        do {
            let report = try await soak(on: server)
            try await server.stop()
            print(report.text)
            guard report.isFlat(within: limit, connections: connections) else { throw ExitCode(1) }
        } catch {
            try await server.stop()
            throw error
        }
    }

    private func soak(on server: BenchServer) async throws -> SoakReport {
        let database = try await server.makeDatabase("soak")
        let installation = try await SyncInstallation.start(on: database)
        let worker = try await installation.startWorker([
            "SYNC_WORKER_CONCURRENCY": "8", "SYNC_DATABASE_CONNECTIONS": String(connections), "LOG_LEVEL": "notice",
        ])
        var report = SoakReport()
        let began = ContinuousClock.now
        let watched = began + .seconds(warmUp * 60)
        let end = watched + .seconds(minutes * 60)
        var second = 0
        while ContinuousClock.now < end {
            second += 1
            let users = (0..<rate).map { "\(notes)-200-\(second).\($0)" }
            try await installation.addUsers(users)
            try await installation.enqueue(users, full: false)
            try await DeadlineQueue.shared.sleep(until: began + .seconds(second))
            let sample = try await SoakReport.Sample.take(of: worker.processID, in: database)
            if ContinuousClock.now > watched { report.samples.append(sample) }
            if second.isMultiple(of: 60) { tell("minute \(second / 60): \(sample.text)") }
        }
        try await installation.waitUntilDone(within: .seconds(120))
        report.jobs = second * rate
        try await installation.stop(worker)
        await installation.stop()
        try await server.drop(database)
        return report
    }

    private func tell(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}

/// What a worker needed over the time it was watched.
struct SoakReport {
    struct Sample {
        var megabytes: Double
        var descriptors: Int
        var connections: Int

        static func take(of process: Int32, in database: BenchDatabase) async throws -> Sample {
            Sample(
                megabytes: try ProcessMemory.read(process, "VmRSS"),
                descriptors: try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count,
                connections: try await database.count(
                    """
                    SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'sync-worker'
                    """
                )
            )
        }

        var text: String { "\(format(megabytes)) MB, \(descriptors) descriptors, \(connections) connections" }
    }

    var samples: [Sample] = []
    var jobs = 0

    /// Descriptors come and go with calls under way.
    private static let descriptorNoise = 16.0

    /// Whether memory, in megabytes, and descriptors grew by no more than they may, and there were never too many
    /// connections.
    func isFlat(within limit: Double, connections: Int) -> Bool {
        growth(\.megabytes) <= limit && growth { Double($0.descriptors) } <= Self.descriptorNoise
            && samples.allSatisfy { $0.connections <= connections }
    }

    /// By how much a value grew from the first to the last fifth of the samples, by their medians.
    private func growth(_ value: (Sample) -> Double) -> Double {
        let (first, last) = ends(value)
        return last - first
    }

    private func ends(_ value: (Sample) -> Double) -> (first: Double, last: Double) {
        let values = samples.map(value)
        let fifth = max(values.count / 5, 1)
        guard !values.isEmpty else { return (.infinity, .infinity) }
        return (Array(values.prefix(fifth)).median, Array(values.suffix(fifth)).median)
    }

    var text: String {
        let memory = ends(\.megabytes)
        let descriptors = ends { Double($0.descriptors) }
        return """
            jobs         \(jobs), the last \(samples.count) s watched
            memory       \(format(memory.first)) MB, at the end \(format(memory.last)) MB: \
            \(String(format: "%+.2f", memory.last - memory.first)) MB
            descriptors  \(format(descriptors.first)), at the end \(format(descriptors.last))
            connections  \(samples.map(\.connections).max() ?? 0) at most
            """
    }
}
