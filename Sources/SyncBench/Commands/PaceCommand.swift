import ArgumentParser
import TestSupport

/// Whether what Notion allows is used up, and not run into.
struct PaceCommand: MeasuringCommand {
    static let configuration = CommandConfiguration(
        commandName: "pace",
        abstract:
            "Pages per second with a Notion that limits each token, beside what limits and writer allow together.",
        usage: "sync-bench pace [<options>]",
        discussion: """
            The writer serves one call at a time and sleeps where Notion refuses a request, a page being two requests 150 ms apart. \
            Measured with the pace of the workers and, beside it, without one.
            """
    )

    @Option(help: "Requests a second that Notion lets through for one token, three at once.") var rate = 3.0
    @Option(help: "Notes of one user alone.") var notes = 60
    @Option(help: "Users with tokens of their own.") var users = 20
    @Option(help: "Notes of each of them.") var notesOfEach = 20
    @Option(help: "Numbers of workers for them.") var workers = NumberList([2, 4])
    @OptionGroup var options: BenchOptions

    /// Requests of a page.
    private static let cost = 2.0
    private static let burst = 3.0

    var settings: [String: String] {
        [
            "rate": String(rate), "notes": String(notes), "users": String(users), "notes of each": String(notesOfEach),
            "workers": workers.text,
        ]
    }

    func measure(on server: BenchServer) async throws -> (figures: [Figure], notes: [String]) {
        let progress = ProgressBar(steps: options.rounds * 2 * (1 + workers.values.count))
        let one = try await runs(on: server, users: 1, notes: notes, workers: [1], progress)
        let many = try await runs(on: server, users: users, notes: notesOfEach, workers: workers.values, progress)
        progress.finish()
        return (one + many, [])
    }

    /// One run: pages a second, and what Notion has counted.
    private struct Run {
        var rate: Double
        var counts: PacedInstallation.Counts
    }

    private func runs(
        on server: BenchServer,
        users: Int,
        notes: Int,
        workers: [Int],
        _ progress: ProgressBar
    ) async throws -> [Figure] {
        let database = try await server.makeDatabase("pace\(users)")
        let installation = try await PacedInstallation.start(on: database, notes: notes, notionRate: rate)
        var figures: [Figure] = []
        for workers in workers {
            var paced: [Run] = []
            var unpaced: [Run] = []
            var writer: [Double] = []
            for _ in 0..<options.rounds {
                writer.append(try await installation.writerRate(pages: 20))
                for settings in [["SYNC_NOTION_RATE": "\(rate)/s"], unpacedSettings] {
                    progress.begin("\(users) users, \(workers) workers")
                    let (seconds, counts) = try await installation.sync(
                        users: users,
                        workers: workers,
                        settings: settings
                    )
                    let run = Run(rate: Double(users * notes) / seconds, counts: counts)
                    if settings == unpacedSettings { unpaced.append(run) } else { paced.append(run) }
                    progress.end()
                }
            }
            figures.append(figure(users, notes, workers, paced, unpaced, writer: writer.median))
        }
        await installation.stop()
        try await server.drop(database)
        return figures
    }

    private func figure(
        _ users: Int,
        _ notes: Int,
        _ workers: Int,
        _ paced: [Run],
        _ unpaced: [Run],
        writer: Double
    ) -> Figure {
        // The last page of a user may begin when all requests but the burst have had their time.
        let seconds = max((Double(notes) * Self.cost - Self.burst) / rate, Double(users * notes) / writer)
        let allowed = Double(users * notes) / seconds
        let name =
            "pace, \(users == 1 ? "1 user" : "\(users) users"), \(workers == 1 ? "1 worker" : "\(workers) workers")"
        let peak = paced.map(\.counts.peakNotionRequestsPerTenSeconds).max() ?? 0
        return Figure(name, "pages/s", samples: paced.map(\.rate), goal: .atLeast(users == 1 ? 0.9 : 0.95))
            .beside("what limits and writer allow together", [allowed])
            .beside("without a pace", unpaced.map(\.rate))
            .with("refusals", paced.map { Double($0.counts.notionRefusals) }.median, "")
            .with("refusals without a pace", unpaced.map { Double($0.counts.notionRefusals) }.median, "")
            .with("requests", paced.map { Double($0.counts.notionRequests) }.median, "")
            .with("most requests of a token in 10 s, of \(Int(rate * 10 + Self.burst)) allowed", Double(peak), "")
    }
}
