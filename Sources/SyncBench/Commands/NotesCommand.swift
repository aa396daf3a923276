import ArgumentParser
import TestSupport

/// How fast a full sync writes pages.
struct NotesCommand: MeasuringCommand {
    static let configuration = CommandConfiguration(
        commandName: "notes",
        abstract: "Notes per second of full syncs with peers that answer at once, beside the bare POSTs.",
        usage: "sync-bench notes [<options>]"
    )

    @Option(help: "Notes of the user.") var notes = 20000
    @Option(help: "Bytes of each note.") var bytes = 2000
    @Option(help: "Numbers of notes in flight at once.") var concurrency = NumberList([4, 16, 64])
    @OptionGroup var options: BenchOptions

    var settings: [String: String] {
        ["notes": String(notes), "bytes": String(bytes), "concurrency": concurrency.text]
    }

    func measure(on server: BenchServer) async throws -> (figures: [Figure], notes: [String]) {
        let database = try await server.makeDatabase("notes")
        let measurement = NotesMeasurement(
            installation: try await SyncInstallation.start(on: database),
            notes: notes,
            bytes: bytes
        )
        let progress = ProgressBar(steps: options.rounds * concurrency.values.count * 2)
        var samples: [Int: [NotesMeasurement.Sample]] = [:]
        var limits: [Int: [NotesMeasurement.Sample]] = [:]
        for round in 0..<options.rounds {
            for concurrency in concurrency.values {
                progress.begin("bare POSTs, \(concurrency) at once")
                limits[concurrency, default: []].append(try await measurement.limit(concurrency))
                progress.end()
                progress.begin("full sync, \(concurrency) notes at once")
                samples[concurrency, default: []].append(try await measurement.sync(concurrency, round, progress))
                progress.end()
            }
        }
        progress.finish()
        await measurement.installation.stop()
        try await server.drop(database)
        return (
            concurrency.values.map { figure($0, samples[$0] ?? [], limits[$0] ?? []) },
            [
                "The peer is a process on the same \(Machine.current().cores) cores, a thread a connection; what it takes of "
                    + "them is named with each figure."
            ]
        )
    }

    private func figure(
        _ concurrency: Int,
        _ samples: [NotesMeasurement.Sample],
        _ limits: [NotesMeasurement.Sample]
    ) -> Figure {
        Figure("notes, \(concurrency) at once", "notes/s", samples: samples.map(\.rate), goal: .atLeast(0.6))
            .beside("bare POSTs, \(concurrency) at once", limits.map(\.rate))
            .with("CPU of the worker", samples.map(\.client).median, "µs/note")
            .with("CPU of the server", samples.map(\.server).median, "µs/note")
            .with("CPU of the peer", samples.map(\.peer).median, "µs/note")
            .with("CPU of the bare client", limits.map(\.client).median, "µs/POST")
            .with("CPU of the peer for bare POSTs", limits.map(\.peer).median, "µs/POST")
    }
}

/// Full syncs of one user after another, and the same POSTs without a database.
struct NotesMeasurement {
    let installation: SyncInstallation
    let notes: Int
    let bytes: Int

    /// Notes a second, and microseconds of processor time a note.
    struct Sample {
        var rate: Double
        var client: Double
        var server = 0.0
        var peer: Double
    }

    func limit(_ concurrency: Int) async throws -> Sample {
        let before = (client: ProcessorTime.ofEndedChildren(), peer: ProcessorTime.of(installation.peer.processID))
        let seconds = try await installation.bareCalls(.pages, count: notes, concurrency: concurrency, bytes: bytes)
        return Sample(
            rate: Double(notes) / seconds,
            client: perNote(ProcessorTime.ofEndedChildren() - before.client),
            peer: perNote(ProcessorTime.of(installation.peer.processID) - before.peer)
        )
    }

    func sync(_ concurrency: Int, _ round: Int, _ progress: ProgressBar? = nil) async throws -> Sample {
        let user = "\(notes)-\(bytes)-c\(concurrency)-r\(round)"
        try await installation.addUsers([user])
        try await installation.clearJobs()
        let worker = try await installation.startWorker([
            "SYNC_NOTE_CONCURRENCY": String(concurrency),
            "SYNC_WORKER_NOTE_CONCURRENCY": String(max(concurrency, 16)),
        ])
        let server = installation.database.server
        let before = (
            client: ProcessorTime.of(worker.processID), server: server.processorTime ?? .zero,
            peer: ProcessorTime.of(installation.peer.processID)
        )
        try await installation.enqueue([user], full: true)
        try await installation.waitUntilDone { progress?.show(within: $0) }
        let sample = Sample(
            rate: Double(notes) / (try await installation.span()),
            client: perNote(ProcessorTime.of(worker.processID) - before.client),
            server: perNote((server.processorTime ?? .zero) - before.server),
            peer: perNote(ProcessorTime.of(installation.peer.processID) - before.peer)
        )
        try await installation.stop(worker)
        return sample
    }

    private func perNote(_ time: Duration) -> Double { time.inMicroseconds / Double(notes) }
}
