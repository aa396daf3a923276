import ArgumentParser
import Foundation
import Postgres
import Support
import TestSupport

/// What a worker needs at rest and in a very large job.
struct MemoryCommand: MeasuringCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Peak memory of a worker over a large job, and what an idle one costs.",
        usage: "sync-bench memory [<options>]"
    )

    @Option(help: "Notes of the large job.") var notes = 100_000
    @Option(help: "Bytes of each note.") var bytes = 2000
    @Option(help: "Notes in flight at once.") var concurrency = 16
    @Option(help: "Seconds an idle worker is watched.") var idleSeconds = 30
    @OptionGroup var options: BenchOptions

    var settings: [String: String] {
        [
            "notes": String(notes), "bytes": String(bytes), "concurrency": String(concurrency),
            "idle for": "\(idleSeconds) s",
        ]
    }

    var serverSettings: [String: String] { StatementStatistics.serverSettings }

    func measure(on server: BenchServer) async throws -> (figures: [Figure], notes: [String]) {
        let database = try await server.makeDatabase("memory")
        let installation = try await SyncInstallation.start(on: database)
        let progress = ProgressBar(steps: options.rounds + 2)
        var small: [Double] = []
        for round in 0..<options.rounds {
            progress.begin("a job of 100 notes")
            small.append(try await peak(installation, notes: 100, "r\(round)", progress))
            progress.end()
        }
        progress.begin("a job of \(notes) notes")
        let large = try await peak(installation, notes: notes, "large", progress)
        progress.end()
        progress.begin("an idle worker")
        let idle = try await idle(installation)
        progress.finish()
        await installation.stop()
        try await server.drop(database)
        return (figures(small, large, idle), [])
    }

    private func figures(_ small: [Double], _ large: Double, _ idle: Idle) -> [Figure] {
        [
            Figure("memory, peak of a \(notes)-note job", "MB", samples: [large])
                .beside("a 100-note job", small)
                .with("more than a 100-note job (goal: at most 40)", large - small.median, "MB"),
            Figure("memory, idle worker", "MB", samples: [idle.megabytes], goal: .atMost(1)).beside("goal", [30]),
            Figure("CPU, idle worker", "%", samples: [idle.processorPercent], goal: .atMost(1)).beside("goal", [0.5]),
            Figure("statements of an idle worker", "a second", samples: [idle.statements], goal: .atMost(1))
                .beside("goal: one every two seconds", [0.5]),
        ]
    }

    /// The largest resident size, in megabytes, of a new worker that runs one job.
    private func peak(
        _ installation: SyncInstallation,
        notes: Int,
        _ name: String,
        _ progress: ProgressBar
    ) async throws -> Double {
        let user = "\(notes)-\(bytes)-\(name)"
        try await installation.addUsers([user])
        try await installation.clearJobs()
        let worker = try await installation.startWorker([
            "SYNC_NOTE_CONCURRENCY": String(concurrency), "SYNC_WORKER_NOTE_CONCURRENCY": String(concurrency),
        ])
        try await installation.enqueue([user], full: true)
        try await installation.waitUntilDone(within: .seconds(1800)) { progress.show(within: $0) }
        let peak = try ProcessMemory.read(worker.processID, "VmHWM")
        try await installation.stop(worker)
        return peak
    }

    private struct Idle {
        var megabytes: Double
        var processorPercent: Double
        var statements: Double
    }

    /// A new worker after its first seconds.
    private func idle(_ installation: SyncInstallation) async throws -> Idle {
        try await installation.clearJobs()
        let statistics = StatementStatistics(database: installation.database)
        try await statistics.prepare()
        let worker = try await installation.startWorker()
        // The looks it takes at its start are over by then.
        try await DeadlineQueue.shared.sleep(for: .seconds(5))
        try await statistics.reset()
        let processorTime = ProcessorTime.of(worker.processID)
        let began = ContinuousClock.now
        try await DeadlineQueue.shared.sleep(for: .seconds(idleSeconds))
        let seconds = (ContinuousClock.now - began).inSeconds
        let idle = Idle(
            megabytes: try ProcessMemory.read(worker.processID, "VmRSS"),
            processorPercent: (ProcessorTime.of(worker.processID) - processorTime).inSeconds / seconds * 100,
            statements: try await statistics.calls() / seconds
        )
        try await installation.stop(worker)
        return idle
    }
}

/// Memory of a process, from `/proc`.
enum ProcessMemory {
    /// A field of `/proc/PID/status`, in megabytes (10⁶ bytes).
    static func read(_ process: Int32, _ field: String) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix(field + ":") }
        guard let words = line?.split(whereSeparator: \.isWhitespace), words.count > 1, let size = Double(words[1])
        else { throw BenchError("/proc/\(process)/status has no \(field)") }
        return size * 1024 / 1e6
    }
}
