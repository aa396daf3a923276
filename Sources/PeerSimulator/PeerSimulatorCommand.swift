import ArgumentParser
import Foundation
import Logging
import ServiceLifecycle
import UnixSignals

@main
struct PeerSimulatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer-simulator",
        abstract: "Stand-ins of the Keep Extractor and the Notion Writer, with their traps.",
        discussion: """
            Both peers also answer a control API under /simulator/ (pages, notes, requests, faults, settings, sessions),
            and the writer shows its pages to a browser on /.

            Example:
              peer-simulator --takeout deploy/sample-export/Takeout \\
                --fault writer.create:reset_after=0.01
              curl -X PUT http://127.0.0.1:8004/simulator/faults \\
                -d '[{"peer":"writer","operation":"create","times":3,
                      "fault":{"kind":"rate_limited","retry_after":1}}]'
            """
    )

    @Option(help: "Address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "Port of the Keep Extractor; 0 takes a free one.")
    var keepPort = 8003

    @Option(help: "Port of the Notion Writer; 0 takes a free one.")
    var writerPort = 8004

    @Option(help: "Notes of a Google Takeout export: its Keep folder, or a folder above it.")
    var takeout: String?

    @Option(help: "So many made-up notes, where no export is given.")
    var synthetic = 100

    @Option(help: "Bytes of text in each made-up note.")
    var noteBytes = 600

    @Option(help: "Seed of made-up notes, their order and the faults' probabilities.")
    var seed: UInt64 = 1

    @Option(help: "What the writer does with an Idempotency-Key: honour or ignore.")
    var idempotency = PeerSettings.Idempotency.ignore

    @Option(help: "Timestamps of the extractor: naive, or offset as newer ones use.")
    var timestamps = PeerSettings.Timestamps.naive

    @Option(help: "Fault plan: a JSON file, or the JSON itself.")
    var faults: String?

    @Option(name: .customLong("fault"), help: "A fault by rate, [PEER.OPERATION:]KIND=PROBABILITY; may be repeated.")
    var faultRates: [String] = []

    @Option(help: "Milliseconds every call but /health takes at least.")
    var latencyMs = 0

    @Option(
        help: "A Keep master token that is valid; may be repeated. Default: any not empty that does not begin with bad."
    )
    var masterToken: [String] = []

    @Option(help: "A Notion token that is valid; may be repeated. Default: any not empty that does not begin with bad.")
    var notionToken: [String] = []

    @Option(
        help: "A database shared with the integration; may be repeated. Default: any that does not begin with unknown."
    )
    var database: [String] = []

    @Flag(help: "Let the extractor serve several requests at once; the one in use serves one at a time.")
    var concurrentExtractor = false

    @Flag(help: "Let the writer serve one call at a time, as the one in use does.")
    var serialWriter = false

    @Option(
        help:
            "Requests a second that Notion lets through for one token; a page is two, and the writer sleeps where one is refused. 0: no limit."
    )
    var notionRate = 0.0

    @Flag(help: "Keep the sizes of what is written and not the text, for long benchmarks.")
    var forgetContents = false

    @Flag(help: "Keep every call for GET /simulator/calls, with its texts, for a check of what was asked and done.")
    var recordCalls = false

    @Option(
        help: "trace, debug, info, notice, warning, error or critical; to standard error.",
        transform: { text in
            guard let level = Logger.Level(rawValue: text.lowercased()) else {
                throw ValidationError("\"\(text)\" is no log level")
            }
            return level
        }
    )
    var logLevel = Logger.Level.notice

    mutating func validate() throws {
        guard (0...65_535).contains(keepPort), (0...65_535).contains(writerPort) else {
            throw ValidationError("A port is a number from 0 to 65535")
        }
        guard (0...10_000_000).contains(synthetic), (0...100_000_000).contains(noteBytes),
            (0...86_400_000).contains(latencyMs), (0...1_000_000).contains(notionRate)
        else {
            throw ValidationError(
                "--synthetic must be 0 to 10000000, --note-bytes 0 to 100000000, --latency-ms 0 to 86400000 and --notion-rate 0 to 1000000"
            )
        }
    }

    func run() async throws {
        var logger = Logger(label: "peer-simulator") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = logLevel
        do {
            let application = try PeerSimulatorApplication(configuration: simulatorConfiguration(), logger: logger)
            try await serve(application, logger: logger)
        } catch let error as PeerSimulatorError {
            FileHandle.standardError.write(Data("peer-simulator: \(error.message)\n".utf8))
            throw ExitCode.failure
        }
    }

    /// Announces both peers as soon as they listen, and serves until SIGTERM or SIGINT.
    private func serve(_ application: PeerSimulatorApplication, logger: Logger) async throws {
        var configuration = ServiceGroupConfiguration(
            services: [application],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        // A connection that a client keeps busy does not hold up the end.
        configuration.maximumGracefulShutdownDuration = .seconds(3)
        let group = ServiceGroup(configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                let ports = try await application.ports()
                FileHandle.standardOutput.write(Data(announcement(of: application, on: ports).utf8))
            }
            try await tasks.waitForAll()
        }
    }

    private func announcement(of application: PeerSimulatorApplication, on ports: PeerPorts) -> String {
        let notes = application.simulator.noteLibrary.notes
        let listed = notes.count(where: \.isListed)
        let hidden = notes.count - listed
        let left = hidden > 0 ? " (\(hidden) more are trashed or archived)" : ""
        return """
            Keep Extractor on http://\(host):\(ports.keep) with \(listed) notes\(left)
            Notion Writer on http://\(host):\(ports.writer)

            """
    }

    func simulatorConfiguration() throws -> SimulatorConfiguration {
        var plan = try faults.map(Self.plan) ?? []
        plan += try faultRates.map(FaultRule.init(shorthand:))
        return SimulatorConfiguration(
            host: host,
            keepPort: keepPort,
            writerPort: writerPort,
            notes: takeout.map { .takeout(path: $0) } ?? .synthetic(count: synthetic, noteBytes: noteBytes),
            seed: seed,
            masterTokens: Set(masterToken),
            notionTokens: Set(notionToken),
            databases: Set(database),
            settings: PeerSettings(
                timestamps: timestamps,
                idempotency: idempotency,
                serialised: !concurrentExtractor,
                latencyMilliseconds: latencyMs,
                forgetsContents: forgetContents,
                serialisesWriter: serialWriter,
                notionRate: notionRate
            ),
            faults: plan,
            recordsCalls: recordCalls
        )
    }

    private static func plan(_ argument: String) throws -> [FaultRule] {
        if argument.drop(while: \.isWhitespace).first == "[" { return try FaultRule.plan(json: Data(argument.utf8)) }
        do {
            return try FaultRule.plan(json: Data(contentsOf: URL(fileURLWithPath: argument)))
        } catch let error as CocoaError {
            throw PeerSimulatorError(.invalidFaultPlan, "Cannot read the fault plan \(argument)", cause: error)
        }
    }
}

extension PeerSettings.Idempotency: ExpressibleByArgument {}
extension PeerSettings.Timestamps: ExpressibleByArgument {}
