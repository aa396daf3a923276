import ArgumentParser
import Postgres
import Support
import TestSupport

/// What the trigger costs those who put jobs into the queue.
struct EnqueueCommand: MeasuringCommand {
    static let configuration = CommandConfiguration(
        commandName: "enqueue",
        abstract: "Single-row INSERT commits per second, beside the same with the trigger dropped.",
        usage: "sync-bench enqueue [<options>]"
    )

    /// What the workers do meanwhile.
    enum Load: String, CaseIterable {
        /// No worker is there.
        case none = "no workers"
        /// They wait for jobs, and run each as it comes.
        case idle = "workers idle"
        /// All their slots are taken by jobs that go on and on.
        case full = "workers' slots taken"
        /// They empty a queue that is full throughout.
        case draining = "workers draining"
    }

    @Option(help: "Numbers of connections that insert.") var clients = NumberList([1, 4])
    @Option(help: "Worker processes.") var workers = 2
    @Option(help: "Jobs a worker runs at once.") var slots = 4
    @Option(help: "Milliseconds of one round.") var milliseconds = 1500
    @OptionGroup var options: BenchOptions

    var settings: [String: String] {
        [
            "clients": clients.text, "workers": String(workers), "slots": String(slots),
            "a round": "\(milliseconds) ms",
        ]
    }

    func measure(on server: BenchServer) async throws -> (figures: [Figure], notes: [String]) {
        let database = try await server.makeDatabase("enqueue")
        let measurement = EnqueueMeasurement(
            database: database,
            workers: workers,
            slots: slots,
            duration: .milliseconds(milliseconds)
        )
        // Short rounds are many, for the commits of a disk come at an uneven pace.
        let rounds = options.rounds * 2 + 1
        let progress = ProgressBar(steps: Load.allCases.count * clients.values.count * rounds)
        var figures: [Figure] = []
        for load in Load.allCases {
            for clients in clients.values {
                progress.begin("\(load.rawValue), \(clients) clients")
                let (with, without) = try await measurement.rates(load, clients: clients, rounds: rounds, progress)
                let hasGoal = clients == 4 && (load == .full || load == .draining)
                figures.append(
                    Figure(
                        "enqueue, \(load.rawValue), \(clients) client\(clients == 1 ? "" : "s")",
                        "commits/s",
                        samples: with,
                        goal: hasGoal ? .atLeast(0.9) : nil
                    ).beside("without the trigger", without)
                )
            }
        }
        progress.finish()
        try await server.drop(database)
        return (figures, [])
    }
}

/// Rounds of inserting at full speed, with and without the trigger in turns.
struct EnqueueMeasurement {
    let database: BenchDatabase
    let workers: Int
    let slots: Int
    let duration: Duration

    private var table: JobTable { JobTable(database: database) }
    private var gateway: Gateway { Gateway(database: database) }
    /// Jobs that keep the workers busy for a round, whatever they do in it.
    private static let backlog = 30000

    func rates(
        _ load: EnqueueCommand.Load,
        clients: Int,
        rounds: Int,
        _ progress: ProgressBar
    ) async throws -> (with: [Double], without: [Double]) {
        try await setTrigger(true)
        try await table.load(
            load == .none || load == .idle ? 0 : workers * slots + (load == .draining ? Self.backlog : 0)
        )
        let fleet = load == .none ? nil : try await start(load)
        var rates: (with: [Double], without: [Double]) = ([], [])
        for round in 0..<rounds {
            // Each goes first as often as the other.
            for isOn in round.isMultiple(of: 2) ? [true, false] : [false, true] {
                if load == .draining { try await topUp() }
                try await setTrigger(isOn)
                let prefix = "\(load)-\(clients)-\(round)-\(isOn)"
                let rate = try await gateway.insertAtFullSpeed(clients: clients, for: duration, prefix: prefix)
                if isOn { rates.with.append(rate) } else { rates.without.append(rate) }
                if load == .idle { try await untilIdle() }
            }
            progress.end()
        }
        try await setTrigger(true)
        try await fleet?.stop()
        return rates
    }

    private func start(_ load: EnqueueCommand.Load) async throws -> WorkerFleet {
        let fleet = try await WorkerFleet.start(
            WorkerFleet.Options(workers: workers, slots: slots, holdsJobs: load == .full),
            on: database
        )
        try fleet.go()
        try await eventually(within: .seconds(20), "the workers' rows") {
            try await database.count("SELECT count(*) FROM sync_workers") == workers
        }
        if load == .full {
            try await eventually(within: .seconds(20), "workers whose slots are taken") {
                try await running() == workers * slots
            }
        }
        // What workers say of themselves needs a moment to settle.
        try await DeadlineQueue.shared.sleep(for: .seconds(2))
        return fleet
    }

    private func topUp() async throws {
        let queued = try await table.open()
        if queued < Self.backlog {
            try await table.add(Self.backlog - queued, prefix: "more-\(queued)-\(monotonicNanoseconds())-")
        }
    }

    private func untilIdle() async throws {
        // Without the trigger the last jobs wait for a poll.
        try await setTrigger(true)
        try await eventually(within: .seconds(120), "an empty queue") { try await table.open() == 0 }
    }

    private func running() async throws -> Int {
        try await database.count("SELECT count(*) FROM sync_jobs WHERE status = 'running'")
    }

    /// Turns every trigger off or on that fires for an INSERT into the queue.
    private func setTrigger(_ isOn: Bool) async throws {
        let rows = try await database.pool.query(
            """
            SELECT tgname::text AS name FROM pg_trigger
            WHERE tgrelid = 'sync_jobs'::regclass AND NOT tgisinternal AND tgtype & 4 <> 0
            """
        )
        for row in rows {
            let name: String = try row.decode("name")
            try await database.pool.execute(
                isOn
                    ? "ALTER TABLE sync_jobs ENABLE TRIGGER \(identifier: name)"
                    : "ALTER TABLE sync_jobs DISABLE TRIGGER \(identifier: name)"
            )
        }
    }
}
