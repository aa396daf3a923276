import ArgumentParser
import Postgres

/// Whether anything becomes slower as the tables grow.
struct GrowthCommand: MeasuringCommand {
    static let configuration = CommandConfiguration(
        commandName: "growth",
        abstract: "Claim, finish, status, scrape and incremental sync in tables that have grown, beside empty ones.",
        usage: "sync-bench growth [<options>]"
    )

    @Option(help: "Numbers of finished jobs, ascending.") var finished = NumberList([100_000, 1_000_000, 5_000_000])
    @Option(help: "Rows of sync_state.") var states = 1_000_000
    @Option(help: "Queued jobs of the one user who has many.") var queued = 10_000
    @Option(help: "No-op jobs drained in each round, over which is spread what is done once.")
    var jobs = 10_000
    @Option(help: "Queued jobs that are due later and come before the others by their priority.") var later = 1_000_000
    @Option(help: "No-op jobs drained while a transaction is held open.") var held = 200_000
    @OptionGroup var options: BenchOptions

    var settings: [String: String] {
        [
            "finished jobs": finished.text, "states": String(states), "queued jobs of one user": String(queued),
            "jobs a round": String(jobs), "jobs due later": String(later),
            "jobs beside an open transaction": String(held),
        ]
    }

    var serverSettings: [String: String] { StatementStatistics.serverSettings }

    func measure(on server: BenchServer) async throws -> (figures: [Figure], notes: [String]) {
        let empty = try await server.makeDatabase("empty")
        let grown = try await server.makeDatabase("grown")
        let comparison = GrowthComparison(
            empty: try await GrowthProbe.prepare(empty, jobs: jobs),
            grown: try await GrowthProbe.prepare(grown, jobs: jobs),
            rounds: options.rounds,
            progress: ProgressBar(steps: (finished.values.count + 4) * (options.rounds * 2 + 1) + 2)
        )
        let figures = try await grow(grown, comparison) + stress(grown, comparison)
        comparison.progress.finish()
        await comparison.empty.installation.stop()
        await comparison.grown.installation.stop()
        try await server.drop(empty)
        try await server.drop(grown)
        return (
            figures,
            ["Each is measured in the grown and in an empty database in turns; what grows stays for what follows."]
        )
    }

    /// Measures again and again while history gathers.
    private func grow(_ database: BenchDatabase, _ comparison: GrowthComparison) async throws -> [Figure] {
        let history = History(database: database)
        var figures: [Figure] = []
        var present = 0
        for count in finished.values {
            comparison.progress.begin("adding finished jobs: \(count)")
            try await history.addFinishedJobs(until: count, having: present)
            comparison.progress.end()
            present = count
            figures += try await comparison.compare("\(format(Double(count))) finished jobs")
        }
        comparison.progress.begin("adding states: \(states)")
        try await history.addStates(states)
        comparison.progress.end()
        figures += try await comparison.compare("\(format(Double(states))) states as well")
        return figures
    }

    /// Measures while something stands in the way.
    private func stress(_ database: BenchDatabase, _ comparison: GrowthComparison) async throws -> [Figure] {
        let table = JobTable(database: database)
        var figures = try await comparison.compareDrains("one user with \(queued) jobs", goal: 2) {
            try await table.addCrowd(queued)
        } after: {
            try await table.removeCrowd()
        }
        comparison.progress.begin("adding jobs due later: \(later)")
        try await table.addLater(later)
        comparison.progress.end()
        figures += try await comparison.compareDrains("\(format(Double(later))) jobs due later", goal: 1.3)
        let holder = try await OpenTransaction.begin(in: database)
        figures += try await comparison.compareDrains("a transaction held open", goal: 2)
        figures += try await comparison.compareTenths(of: held, "a transaction held open")
        await holder.end()
        return figures
    }
}

/// A transaction that stays open, so that vacuum can remove no row that was dead or died since.
struct OpenTransaction {
    private let connection: PostgresConnection

    static func begin(in database: BenchDatabase) async throws -> OpenTransaction {
        let connection = try await PostgresConnection.connect(
            database.pool.configuration,
            logger: BenchServer.logger
        )
        try await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try await connection.execute("SELECT count(*) FROM sync_workers")
        return OpenTransaction(connection: connection)
    }

    func end() async {
        await connection.close()
    }
}

/// Measures of the empty and the grown database in turns.
struct GrowthComparison {
    let empty: GrowthProbe
    let grown: GrowthProbe
    let rounds: Int
    let progress: ProgressBar

    func compare(_ what: String) async throws -> [Figure] {
        var samples: (empty: [GrowthProbe.Sample], grown: [GrowthProbe.Sample]) = ([], [])
        for round in 0..<rounds {
            progress.begin("\(what): the empty database")
            samples.empty.append(try await empty.measure("\(round)-\(monotonicNanoseconds())"))
            progress.end()
            progress.begin("\(what): the grown database")
            samples.grown.append(try await grown.measure("\(round)-\(monotonicNanoseconds())"))
            progress.end()
        }
        let operations: [(String, KeyPath<GrowthProbe.Sample, Double>)] = [
            ("claim", \.claim), ("finish", \.finish), ("status", \.status), ("scrape", \.scrape),
            ("incremental sync", \.sync),
        ]
        return operations.map { name, path in
            Figure("\(name), \(what)", "ms", samples: samples.grown.map { $0[keyPath: path] }, goal: .atMost(1.3))
                .beside("empty", samples.empty.map { $0[keyPath: path] })
        }
    }

    /// Compares the last tenth of a long drain with its first.
    func compareTenths(of jobs: Int, _ what: String) async throws -> [Figure] {
        progress.begin("\(what): \(jobs) jobs")
        let (first, last) = try await grown.drainTenths(of: jobs, "tenths-\(monotonicNanoseconds())")
        progress.end()
        let named = "\(what), last tenth of \(format(Double(jobs)))"
        return [
            Figure("claim, \(named)", "ms", samples: [last.claim], goal: .atMost(1.3)).beside(
                "first tenth",
                [first.claim]
            ),
            Figure("finish, \(named)", "ms", samples: [last.finish], goal: .atMost(1.3))
                .beside("first tenth", [first.finish]),
        ]
    }

    /// Compares only claims and finishes, each round with something done before and after it in the grown database.
    func compareDrains(
        _ what: String,
        goal: Double,
        before: () async throws -> Void = {},
        after: () async throws -> Void = {}
    ) async throws -> [Figure] {
        var claims: (empty: [Double], grown: [Double]) = ([], [])
        var finishes: (empty: [Double], grown: [Double]) = ([], [])
        progress.end()
        for round in 0..<rounds {
            progress.begin("\(what): the empty database")
            let plain = try await empty.drain("\(round)-\(monotonicNanoseconds())")
            progress.end()
            progress.begin("\(what): the grown database")
            try await before()
            let grown = try await grown.drain("\(round)-\(monotonicNanoseconds())")
            try await after()
            progress.end()
            claims = (claims.empty + [plain.claim], claims.grown + [grown.claim])
            finishes = (finishes.empty + [plain.finish], finishes.grown + [grown.finish])
        }
        return [
            Figure("claim, \(what)", "ms", samples: claims.grown, goal: .atMost(goal)).beside("empty", claims.empty),
            Figure("finish, \(what)", "ms", samples: finishes.grown, goal: .atMost(goal)).beside(
                "empty",
                finishes.empty
            ),
        ]
    }
}
