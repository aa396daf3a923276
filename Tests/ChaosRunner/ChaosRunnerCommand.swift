import ArgumentParser
import Chaos
import ChaosChecker
import Foundation

/// What `deploy/chaos` runs.
@main
struct ChaosRunnerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos-runner",
        abstract: "Attacks sync-worker processes by seeds and checks by their history that the promises held."
    )

    @Option(help: "How many seeds.")
    var seeds = 10

    @Option(help: "The first seed; the others follow it.")
    var first: UInt64 = 1

    @Option(help: "Runs at once.")
    var parallel = 1

    @Option(help: "Path of the sync-worker to be attacked; the one beside this program by default.")
    var worker: String?

    @Option(help: "Folder for the histories of failed runs.")
    var keep = ".chaos"

    @Flag(help: "Keep the histories of all runs.")
    var keepAll = false

    @Flag(help: "Expect to fail: end well at the first run that does, and badly if none does.")
    var untilCaught = false

    @Option(help: "Only check a history that was kept, and run nothing.")
    var check: String?

    func validate() throws {
        guard seeds > 0, parallel > 0 else { throw ValidationError("--seeds and --parallel must be 1 or more") }
    }

    func run() async throws {
        if let check {
            let verdict = try Chaos.check(URL(filePath: check))
            verdict.violations.forEach { print($0) }
            throw verdict.violations.isEmpty ? ExitCode.success : ExitCode.failure
        }
        let board = Board(command: self)
        await board.say(Table.header)
        try await Chaos.run(
            seeds: (0..<UInt64(seeds)).map { first &+ $0 },
            worker: worker,
            parallel: parallel
        ) { outcome in try await board.show(outcome) }
        let failures = await board.end()
        if untilCaught ? failures == 0 : failures > 0 { throw ExitCode.failure }
    }
}

/// Prints the table as it grows.
private actor Board {
    private let command: ChaosRunnerCommand
    private var table = Table()

    init(command: ChaosRunnerCommand) { self.command = command }

    /// - Returns: whether to go on.
    func show(_ outcome: Outcome) throws -> Bool {
        say(table.add(outcome))
        let violations = outcome.verdict.violations
        if command.keepAll || (!violations.isEmpty && !command.untilCaught) {
            let folder = URL(filePath: command.keep).appending(path: "seed-\(outcome.seed)")
            try outcome.keep(in: folder)
            if !violations.isEmpty { say("    history: \(folder.path)") }
        }
        for violation in violations.prefix(command.untilCaught ? 3 : 20) { say("    \(violation)") }
        if violations.count > 20 { say("    and \(violations.count - 20) more") }
        if !violations.isEmpty, !command.untilCaught {
            say("    repeat: deploy/chaos --seeds 1 --first \(outcome.seed)")
        }
        return violations.isEmpty || !command.untilCaught
    }

    func end() -> Int {
        say(table.totals)
        return table.failures
    }

    /// At once, also into a pipe.
    func say(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }
}
