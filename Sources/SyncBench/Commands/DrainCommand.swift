import ArgumentParser
import Postgres

/// How fast a full queue is emptied of jobs that do nothing.
struct DrainCommand: MeasuringCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "No-op jobs per second from a full queue, beside pgbench on a bare table.",
        usage: "sync-bench drain [<options>]"
    )

    @Option(help: "Jobs in the queue.") var jobs = 20000
    @Option(help: "Numbers of worker processes.") var workers = NumberList([1, 2, 4])
    @Option(help: "Numbers of jobs a worker runs at once, which is the size of its batches.")
    var slots = NumberList([4, 64])
    @Option(help: "Batches among which pgbench's best is sought.") var batches = NumberList([64, 256, 1000])
    @Option(help: "Level of the workers' log, which goes to /dev/null.") var logLevel = "info"
    @OptionGroup var options: BenchOptions

    var settings: [String: String] {
        ["jobs": String(jobs), "workers": workers.text, "slots": slots.text, "log level": logLevel]
    }

    func measure(on server: BenchServer) async throws -> (figures: [Figure], notes: [String]) {
        let database = try await server.makeDatabase("drain")
        let measurement = DrainMeasurement(database: database, jobs: jobs, logLevel: logLevel)
        try await measurement.prepare()
        let candidates = Set(slots.values + batches.values).sorted()
        let cases = slots.values.flatMap { slots in
            workers.values.map { DrainMeasurement.Case(workers: $0, slots: slots) }
        }
        let progress = ProgressBar(
            steps: candidates.count * 3 + options.rounds * (cases.count + slots.values.count + 1)
        )
        let best = try await measurement.bestClients(batches: candidates, progress)
        let bestBatch = best.max { $0.value.rate < $1.value.rate }?.key ?? candidates[0]
        var samples: [DrainMeasurement.Case: [DrainMeasurement.Sample]] = [:]
        var limits: [Int: [DrainMeasurement.Sample]] = [:]
        for _ in 0..<options.rounds {
            for batch in Set(slots.values + [bestBatch]).sorted() {
                progress.begin("pgbench, \(batch) a batch")
                limits[batch, default: []].append(
                    try await measurement.limit(batch: batch, clients: best[batch]?.clients ?? 2)
                )
                progress.end()
            }
            for testCase in cases {
                progress.begin("\(testCase.workers) workers, \(testCase.slots) slots")
                samples[testCase, default: []].append(try await measurement.drain(testCase, progress))
                progress.end()
            }
        }
        progress.finish()
        try await server.drop(database)
        let figures = cases.map { testCase in
            figure(testCase, samples[testCase] ?? [], limits, best: best, bestBatch: bestBatch)
        }
        return (figures, [])
    }

    private func figure(
        _ testCase: DrainMeasurement.Case,
        _ samples: [DrainMeasurement.Sample],
        _ limits: [Int: [DrainMeasurement.Sample]],
        best: [Int: (clients: Int, rate: Double)],
        bestBatch: Int
    ) -> Figure {
        let name = "\(testCase.workers) × \(testCase.slots) slots"
        var figure = Figure("drain, \(name)", "jobs/s", samples: samples.map(\.rate), goal: .atLeast(0.8))
        for batch in [testCase.slots, bestBatch] {
            let clients = best[batch]?.clients ?? 2
            figure = figure.beside(
                "pgbench, \(batch) a batch, \(clients) clients",
                (limits[batch] ?? []).map(\.rate)
            )
        }
        let limit = limits[testCase.slots] ?? []
        return
            figure
            .with("mean batch", samples.map(\.batch).median, "jobs")
            .with("CPU of the workers", samples.map(\.workerMicroseconds).median, "µs/job")
            .with("CPU of the server", samples.map(\.serverMicroseconds).median, "µs/job")
            .with(
                "CPU of pgbench and server",
                limit.map { $0.workerMicroseconds + $0.serverMicroseconds }.median,
                "µs/job"
            )
    }
}

/// Runs of the no-op workers and of pgbench over full queues.
struct DrainMeasurement {
    let database: BenchDatabase
    let jobs: Int
    let logLevel: String

    struct Case: Hashable {
        var workers: Int
        var slots: Int
    }

    struct Sample {
        var rate: Double
        var batch: Double
        /// Of the workers, or of pgbench.
        var workerMicroseconds: Double
        var serverMicroseconds: Double
    }

    private var bare: BareQueue { BareQueue(database: database) }
    private var table: JobTable { JobTable(database: database) }

    func prepare() async throws {
        try await bare.create()
    }

    /// For each size of batch the number of pgbench's connections that does most.
    func bestClients(batches: [Int], _ progress: ProgressBar) async throws -> [Int: (clients: Int, rate: Double)] {
        var best: [Int: (clients: Int, rate: Double)] = [:]
        for batch in batches {
            for clients in [1, 2, 4] {
                progress.begin("seeking pgbench's best: \(batch) a batch, \(clients) clients")
                let rate = try await limit(batch: batch, clients: clients).rate
                if rate > best[batch]?.rate ?? 0 { best[batch] = (clients, rate) }
                progress.end()
            }
        }
        return best
    }

    func limit(batch: Int, clients: Int) async throws -> Sample {
        // So many that it takes a while: large batches are done before they are measured.
        let jobs = jobs * min(max(batch / 8, 1), 10)
        try await bare.load(jobs)
        let transactions = max(jobs / batch / clients, 1)
        let server = database.server.processorTime ?? .zero
        let result = try await Pgbench(database: database).run(
            BareQueue.claimAndComplete(batch),
            clients: clients,
            transactions: transactions
        )
        let serverTime = (database.server.processorTime ?? .zero) - server
        let done = try await database.count("SELECT count(*) FROM bare_jobs WHERE status = 'completed'")
        let share = Double(done) / Double(transactions * clients)
        return Sample(
            rate: result.transactionsPerSecond * share,
            batch: share,
            workerMicroseconds: result.processorTime.inMicroseconds / Double(done),
            serverMicroseconds: serverTime.inMicroseconds / Double(done)
        )
    }

    func drain(_ testCase: Case, _ progress: ProgressBar) async throws -> Sample {
        try await table.load(jobs)
        let fleet = try await WorkerFleet.start(
            WorkerFleet.Options(workers: testCase.workers, slots: testCase.slots, logLevel: logLevel),
            on: database
        )
        let before = (worker: fleet.processorTime, server: database.server.processorTime ?? .zero)
        try fleet.go()
        try await table.waitUntilDrained(by: fleet, jobs: jobs, progress)
        let worker = fleet.processorTime - before.worker
        let server = (database.server.processorTime ?? .zero) - before.server
        try await fleet.stop()
        // Each flush of results is a transaction, whose number stands in the rows it wrote.
        let flushes = try await database.count("SELECT count(DISTINCT xmin::text) FROM sync_jobs")
        return Sample(
            rate: Double(jobs) / (try await table.span()),
            batch: Double(jobs) / Double(max(flushes, 1)),
            workerMicroseconds: worker.inMicroseconds / Double(jobs),
            serverMicroseconds: server.inMicroseconds / Double(jobs)
        )
    }
}
