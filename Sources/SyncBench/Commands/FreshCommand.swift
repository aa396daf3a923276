import ArgumentParser
import TestSupport

/// How many users can be kept fresh.
struct FreshCommand: MeasuringCommand {
    static let configuration = CommandConfiguration(
        commandName: "fresh",
        abstract: "Incremental syncs with nothing changed, per second and per CPU second, beside the bare two calls.",
        usage: "sync-bench fresh [<options>]"
    )

    @Option(help: "Users.") var users = 5000
    @Option(help: "Jobs the worker runs at once.") var slots = 16
    @OptionGroup var options: BenchOptions

    var settings: [String: String] { ["users": String(users), "slots": String(slots)] }

    /// How often each user is synced.
    private static let schedule = 900.0

    func measure(on server: BenchServer) async throws -> (figures: [Figure], notes: [String]) {
        let database = try await server.makeDatabase("fresh")
        let installation = try await SyncInstallation.start(on: database)
        let names = (1...users).map { "5-200-u\($0)" }
        try await installation.addUsers(names)
        let worker = try await installation.startWorker(["SYNC_WORKER_CONCURRENCY": String(slots)])
        let progress = ProgressBar(steps: options.rounds * 2 + 1)
        progress.begin("the users' first sync")
        try await installation.enqueue(names, full: false)
        try await installation.waitUntilDone()
        progress.end()
        var samples: [Sample] = []
        var bare: [Double] = []
        for _ in 0..<options.rounds {
            progress.begin("the bare calls")
            bare.append(
                Double(users) / (try await installation.bareCalls(.fetches, count: users, concurrency: slots))
            )
            progress.end()
            progress.begin("incremental syncs")
            samples.append(try await syncs(of: names, installation, worker))
            progress.end()
        }
        progress.finish()
        try await installation.stop(worker)
        await installation.stop()
        try await server.drop(database)
        return (figures(samples, bare), [])
    }

    /// Syncs a second, and microseconds of processor time a sync.
    private struct Sample {
        var rate: Double
        var worker: Double
        var server: Double
    }

    /// Syncs every user once.
    private func syncs(
        of names: [String],
        _ installation: SyncInstallation,
        _ worker: ProgramRun
    ) async throws -> Sample {
        try await installation.clearJobs()
        let server = installation.database.server
        let before = (worker: ProcessorTime.of(worker.processID), server: server.processorTime ?? .zero)
        try await installation.enqueue(names, full: false)
        try await installation.waitUntilDone()
        let count = Double(users)
        return Sample(
            rate: count / (try await installation.span()),
            worker: (ProcessorTime.of(worker.processID) - before.worker).inMicroseconds / count,
            server: ((server.processorTime ?? .zero) - before.server).inMicroseconds / count
        )
    }

    private func figures(_ samples: [Sample], _ bare: [Double]) -> [Figure] {
        let perCore = samples.map { 1e6 / ($0.worker + $0.server) }
        return [
            Figure("fresh, unchanged users", "syncs/s", samples: samples.map(\.rate))
                .beside("bare two calls a user", bare)
                .with("CPU of the worker", samples.map(\.worker).median, "µs/sync")
                .with("CPU of the server", samples.map(\.server).median, "µs/sync"),
            Figure("fresh, per CPU second of worker and server", "syncs", samples: perCore)
                .with("users one core keeps fresh every 15 minutes", perCore.median * Self.schedule, "users"),
        ]
    }
}
