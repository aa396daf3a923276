import Foundation
import TestSupport

/// No-op workers, each a process of its own.
final class WorkerFleet: Sendable {
    let programs: [ProgramRun]

    /// Settings of the workers.
    struct Options: Sendable {
        var workers: Int
        var slots: Int
        /// Jobs go on until the workers stop.
        var holdsJobs = false
        /// Whether the start of each job is noted.
        var isTracing = false
        var logLevel = "info"
    }

    /// Starts workers and waits until they are connected; they claim nothing yet.
    static func start(_ options: Options, on database: BenchDatabase) async throws -> WorkerFleet {
        let programs = try (1...options.workers).map { number in
            var arguments = [
                "noop-worker", "--database", database.url, "--name", "bench-\(number)",
                "--slots", String(options.slots), "--log-level", options.logLevel,
            ]
            if options.holdsJobs { arguments.append("--hold") }
            if options.isTracing { arguments.append("--trace") }
            return try ProgramRun(executable: Self.ownPath, arguments)
        }
        for program in programs { try await program.waitForLine(containing: "Ready.") }
        return WorkerFleet(programs: programs)
    }

    private init(programs: [ProgramRun]) {
        self.programs = programs
    }

    /// Lets them begin.
    func go() throws {
        for program in programs { try program.write("go\n") }
    }

    /// Jobs begun so far, as last announced.
    var jobs: Int {
        programs.reduce(0) { sum, program in
            let line = program.standardOutput.last { $0.hasPrefix("done ") }
            return sum + (line.flatMap { Int($0.dropFirst(5)) } ?? 0)
        }
    }

    var processorTime: Duration {
        programs.reduce(.zero) { $0 + ProcessorTime.of($1.processID) }
    }

    /// Stops them as a signal would.
    func stop() async throws {
        for program in programs { program.closeInput() }
        for program in programs {
            let exit = try await program.waitForExit(within: .seconds(40))
            guard exit == .code(0) else { throw BenchError("a worker did not end well:\n\(program.transcript)") }
        }
    }

    /// When each user's job began, in nanoseconds; complete once the workers have stopped.
    var starts: [String: Int64] {
        var starts: [String: Int64] = [:]
        for line in programs.flatMap(\.standardOutput) {
            let words = line.split(separator: " ")
            guard words.count == 3, words[0] == "started", let time = Int64(words[2]) else { continue }
            starts[String(words[1])] = time
        }
        return starts
    }

    /// This program.
    static var ownPath: String {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path
    }
}
