import ArgumentParser

/// Whether a slow peer is asked as often at once as allowed.
struct LatencyCommand: MeasuringCommand {
    static let configuration = CommandConfiguration(
        commandName: "latency",
        abstract: "Notes per second with a slow peer, beside concurrency divided by its latency.",
        usage: "sync-bench latency [<options>]"
    )

    @Option(help: "Milliseconds the peer takes for each page.") var ms = 50
    @Option(help: "Numbers of notes in flight at once.") var concurrency = NumberList([1, 4, 16, 64])
    @Option(help: "Seconds that one measurement takes, about.") var seconds = 5
    @OptionGroup var options: BenchOptions

    var settings: [String: String] {
        ["latency": "\(ms) ms", "concurrency": concurrency.text, "seconds": String(seconds)]
    }

    func measure(on server: BenchServer) async throws -> (figures: [Figure], notes: [String]) {
        let database = try await server.makeDatabase("latency")
        let installation = try await SyncInstallation.start(on: database, latencyMilliseconds: ms)
        let progress = ProgressBar(steps: options.rounds * concurrency.values.count)
        var samples: [Int: [Double]] = [:]
        var bare: [Int: [Double]] = [:]
        for round in 0..<options.rounds {
            for concurrency in concurrency.values {
                progress.begin("\(concurrency) notes at once")
                let notes = concurrency * max(seconds * 1000 / ms, 1)
                let measurement = NotesMeasurement(installation: installation, notes: notes, bytes: 2000)
                bare[concurrency, default: []].append(try await measurement.limit(concurrency).rate)
                samples[concurrency, default: []].append(try await measurement.sync(concurrency, round, progress).rate)
                progress.end()
            }
        }
        progress.finish()
        await installation.stop()
        try await server.drop(database)
        let figures = concurrency.values.map { concurrency in
            Figure(
                "latency \(ms) ms, \(concurrency) at once",
                "notes/s",
                samples: samples[concurrency] ?? [],
                goal: .atLeast(0.95)
            )
            .beside("concurrency / latency", [Double(concurrency) * 1000 / Double(ms)])
            .beside("bare POSTs", bare[concurrency] ?? [])
        }
        return (figures, [])
    }
}
