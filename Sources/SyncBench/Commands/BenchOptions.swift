import ArgumentParser
import Foundation

/// What all measurements take.
struct BenchOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Add the figures to this file, which `report` reads.", valueName: "file"))
    var json: String?

    @Option(help: "Rounds of each measurement; figures are their medians.")
    var rounds = 3

    @Option(
        name: .customLong("database-url"),
        help: ArgumentHelp(
            "A PostgreSQL server to use instead of a private one; databases are made in it and dropped again.",
            valueName: "url"
        )
    )
    var databaseURL: String?

    @Option(
        help: ArgumentHelp(
            "A setting of the private server, e.g. synchronous_commit=off; may be repeated.",
            valueName: "name=value"
        )
    )
    var set: [String] = []

    func validate() throws {
        guard rounds > 0 else { throw ValidationError("--rounds must be at least 1") }
        guard set.allSatisfy({ $0.contains("=") }) else { throw ValidationError("--set takes NAME=VALUE") }
    }

    /// Starts the server for the time of `body`.
    func withServer<R>(
        further: [String: String] = [:],
        _ body: (BenchServer) async throws -> R
    ) async throws -> R {
        let given = set.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        let settings = Dictionary(given.map { ($0[0], $0.count > 1 ? $0[1] : "") }) { $1 }
        let server =
            if let databaseURL {
                try await BenchServer.existing(databaseURL)
            } else {
                try await BenchServer.start(further: further.merging(settings) { $1 })
            }
        do {
            let result = try await body(server)
            try await server.stop()
            return result
        } catch {
            try await server.stop()
            throw error
        }
    }
}

/// A command that measures.
protocol MeasuringCommand: AsyncParsableCommand {
    var options: BenchOptions { get }
    /// Settings of the measurement, for the report.
    var settings: [String: String] { get }
    /// Further settings that the private server needs.
    var serverSettings: [String: String] { get }
    func measure(on server: BenchServer) async throws -> (figures: [Figure], notes: [String])
}

extension MeasuringCommand {
    var serverSettings: [String: String] { [:] }

    func run() async throws {
        try await options.withServer(further: serverSettings) { server in
            try await report(on: server)
        }
    }

    private func report(on server: BenchServer) async throws {
        let began = Date()
        let (figures, notes) = try await measure(on: server)
        let report = CommandReport(
            command: Self.configuration.commandName ?? "",
            settings: settings.merging(["rounds": String(options.rounds)]) { $1 },
            figures: figures,
            notes: notes + Self.buildNotes,
            machine: .current(),
            server: server.settings,
            startedAt: began.formatted(.iso8601),
            seconds: Date().timeIntervalSince(began).rounded()
        )
        print(TextReport(report).text)
        guard let path = options.json else { return }
        var all = try BenchReport.read(path)
        all.commands[report.command] = report
        try all.write(path)
    }

    private static var buildNotes: [String] {
        #if DEBUG
            ["Built without optimisation: these figures say nothing. Build with -c release."]
        #else
            []
        #endif
    }
}

/// Numbers separated by commas, on the command line.
struct NumberList: ExpressibleByArgument, Sendable {
    let values: [Int]

    init(_ values: [Int]) {
        self.values = values
    }

    init?(argument: String) {
        values = argument.split(separator: ",").compactMap { Int($0) }
        guard !values.isEmpty, values.allSatisfy({ $0 > 0 }) else { return nil }
    }

    var defaultValueDescription: String { text }
    var text: String { values.map(String.init).joined(separator: ",") }
}
