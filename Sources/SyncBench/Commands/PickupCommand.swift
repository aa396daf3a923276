import ArgumentParser
import Histogram
import Postgres
import Support
import TestSupport

/// How long a committed job waits for a free worker.
struct PickupCommand: MeasuringCommand {
    static let configuration = CommandConfiguration(
        commandName: "pickup",
        abstract: "From the commit of the INSERT to the start of the job, beside two bare connections.",
        usage: "sync-bench pickup [<options>]"
    )

    @Option(help: "Jobs inserted a second.") var rate = 500
    @Option(help: "Seconds of one round.") var seconds = 5
    @Option(help: "Jobs a worker runs at once.") var slots = 16
    @Option(help: "Numbers of worker processes.") var workers = NumberList([1, 2, 4])
    @OptionGroup var options: BenchOptions

    var settings: [String: String] {
        ["rate": "\(rate)/s", "seconds": String(seconds), "slots": String(slots), "workers": workers.text]
    }

    func measure(on server: BenchServer) async throws -> (figures: [Figure], notes: [String]) {
        let database = try await server.makeDatabase("pickup")
        try await BareQueue(database: database).create()
        try await BareClaimer.prepare(database)
        let measurement = PickupMeasurement(database: database, jobs: rate * seconds, rate: rate, slots: slots)
        let progress = ProgressBar(steps: options.rounds * (workers.values.count + 1))
        var floor: [PickupMeasurement.Sample] = []
        var samples: [Int: [PickupMeasurement.Sample]] = [:]
        for _ in 0..<options.rounds {
            progress.begin("two bare connections")
            floor.append(try await measurement.floor())
            progress.end()
            for count in workers.values {
                progress.begin("\(count) workers")
                samples[count, default: []].append(try await measurement.pickup(workers: count))
                progress.end()
            }
        }
        progress.finish()
        try await server.drop(database)
        return (figures(samples, floor: floor), [])
    }

    private func figures(
        _ samples: [Int: [PickupMeasurement.Sample]],
        floor: [PickupMeasurement.Sample]
    ) -> [Figure] {
        var figures = workers.values.flatMap { count in
            let mine = samples[count] ?? []
            let name = "pickup, \(count) worker\(count == 1 ? "" : "s")"
            return [
                Figure("\(name), p50", "ms", samples: mine.map(\.p50), goal: .atMost(1.5))
                    .beside("two bare connections, p50", floor.map(\.p50)),
                Figure("\(name), p99", "ms", samples: mine.map(\.p99), goal: .atMost(3))
                    .beside("two bare connections, p99", floor.map(\.p99))
                    .with("longest of all", mine.map(\.longest).max() ?? .nan, "ms")
                    .with("longest of all by bare connections", floor.map(\.longest).max() ?? .nan, "ms"),
            ]
        }
        if let few = samples[2], let many = samples[4] {
            figures.append(
                Figure("CPU of the server, 4 workers", "µs/job", samples: many.map(\.server), goal: .atMost(1.1))
                    .beside("2 workers", few.map(\.server))
                    .beside("two bare connections", floor.map(\.server))
            )
        }
        return figures
    }
}

/// Rounds of inserting at a pace and noting when each job starts.
struct PickupMeasurement {
    let database: BenchDatabase
    let jobs: Int
    let rate: Int
    let slots: Int

    /// Times in milliseconds, processor time of the server in microseconds a job.
    struct Sample {
        var p50: Double
        var p99: Double
        var longest: Double
        var server: Double
    }

    func floor() async throws -> Sample {
        try await BareQueue(database: database).load(0)
        let claimer = BareClaimer()
        let url = database.url
        async let starts = claimer.run(url, jobs: jobs)
        try await untilListening(1, channel: "bare_jobs")
        let server = database.server.processorTime ?? .zero
        let commits = try await Gateway(database: database)
            .insert(Gateway.bareInsert, count: jobs, perSecond: rate)
        let all = try await starts
        return sample(commits, all, (database.server.processorTime ?? .zero) - server)
    }

    func pickup(workers: Int) async throws -> Sample {
        let table = JobTable(database: database)
        try await table.load(0)
        let fleet = try await WorkerFleet.start(
            WorkerFleet.Options(workers: workers, slots: slots, isTracing: true),
            on: database
        )
        try fleet.go()
        try await untilListening(workers, channel: "sync_jobs")
        let server = database.server.processorTime ?? .zero
        let commits = try await Gateway(database: database).insert(Gateway.insert, count: jobs, perSecond: rate)
        try await table.waitUntilDrained(by: fleet, jobs: jobs)
        let used = (database.server.processorTime ?? .zero) - server
        try await fleet.stop()
        return sample(commits, fleet.starts, used)
    }

    /// Waits until so many sessions listen, and the workers have shown themselves.
    private func untilListening(_ sessions: Int, channel: String) async throws {
        try await eventually(within: .seconds(20), "\(sessions) sessions that listen") {
            try await database.count(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND state = 'idle' AND query ILIKE 'LISTEN%'
                """
            ) >= (channel == "sync_jobs" ? sessions : 0)
        }
        if channel == "sync_jobs" {
            try await eventually(within: .seconds(20), "the workers' rows") {
                try await database.count("SELECT count(*) FROM sync_workers") == sessions
            }
        }
        // What they look for once more at their start is over by then.
        try await DeadlineQueue.shared.sleep(for: .seconds(2))
    }

    private func sample(_ commits: [Int64], _ starts: [String: Int64], _ server: Duration) -> Sample {
        var histogram = Histogram<UInt64>(highestTrackableValue: 60_000_000_000)
        for (number, commit) in commits.enumerated() {
            guard let start = starts["pick-\(number)"] else { continue }
            histogram.record(UInt64(max(start - commit, 0)))
        }
        func milliseconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1e6 }
        return Sample(
            p50: milliseconds(histogram.valueAtPercentile(50)),
            p99: milliseconds(histogram.valueAtPercentile(99)),
            longest: milliseconds(histogram.maxRecorded),
            server: server.inMicroseconds / Double(jobs)
        )
    }
}
