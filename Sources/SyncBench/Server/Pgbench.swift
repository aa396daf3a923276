import Foundation
import TestSupport

/// PostgreSQL's own load generator, which drives the plainest statements that do the same work.
struct Pgbench: Sendable {
    let database: BenchDatabase

    struct Result: Sendable {
        var transactionsPerSecond: Double
        var processorTime: Duration
    }

    /// Runs a script on `clients` connections, `transactions` times on each.
    func run(_ script: String, clients: Int, transactions: Int) async throws -> Result {
        let file = FileManager.default.temporaryDirectory.appending(path: "sync-bench-\(getpid()).sql")
        try Data(script.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }  // A temporary file that stays does no harm.
        let before = ProcessorTime.ofEndedChildren()
        let run = try ProgramRun(
            executable: "\(database.server.binaries)/pgbench",
            [
                "--no-vacuum", "--protocol=prepared", "--client=\(clients)", "--jobs=\(min(clients, 2))",
                "--transactions=\(transactions)", "--file=\(file.path)", database.url,
            ]
        )
        run.closeInput()
        let exit = try await run.waitForExit(within: .seconds(600))
        let line = run.standardOutput.first { $0.hasPrefix("tps = ") }
        guard exit == .code(0), let words = line?.split(separator: " "), let rate = Double(words[2]) else {
            throw BenchError("pgbench did not succeed:\n\(run.transcript)")
        }
        return Result(
            transactionsPerSecond: rate,
            processorTime: ProcessorTime.ofEndedChildren() - before
        )
    }
}

/// Why a measurement is not to be had.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
