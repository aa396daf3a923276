public import ArgumentParser
public import Chaos
import ChaosChecker
import Foundation

extension Plan.Attackers: ExpressibleByArgument {}

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

    @Option(help: "Only seeds whose runs these attack: people, routers, all.")
    var attackers: Plan.Attackers?

    @Option(help: "Runs at once.")
    var parallel = 1

    @Flag(help: "Lose the database's server, and have its standby take over.")
    var failover = false

    @Flag(help: "Hostile neighbours in place of faults: a gateway's role, visitors, peers.")
    var hostile = false

    @Option(help: "How long a hostile run goes on.")
    var seconds = 30

    @Option(help: "A Python with schemathesis, for hostile runs.")
    var schemathesis: String?

    @Option(help: "Path of the sync-worker to be attacked; the one beside this program by default.")
    var worker: String?

    @Option(help: "The fault of a worker that was built with faults.")
    var mutant: String?

    @Option(help: "Folder for the histories of failed runs.")
    var keep = ".chaos"

    @Flag(help: "Keep the histories of all runs.")
    var keepAll = false

    @Option(help: "Rules, with commas: end well at the first run that breaks one of them, and badly if none does.")
    var until: String?

    @Option(help: "Only check a history that was kept, and run nothing.")
    var check: String?

    func validate() throws {
        guard seeds > 0, parallel > 0, seconds > 0 else {
            throw ValidationError("--seeds, --parallel and --seconds must be 1 or more")
        }
    }

    func run() async throws {
        if let check {
            let verdict = try Chaos.check(URL(filePath: check))
            verdict.violations.forEach { print($0) }
            throw verdict.violations.isEmpty ? ExitCode.success : ExitCode.failure
        }
        if hostile { return try await runHostile() }
        let board = Board(command: self)
        await board.say(Table.header)
        try await Chaos.run(
            seeds: Chaos.seeds(seeds, from: first, by: attackers),
            kind: failover ? .failovers : .usual,
            worker: worker,
            environment: mutant.map { ["CHAOS_MUTANT": $0] } ?? [:],
            parallel: parallel
        ) { outcome in try await board.show(outcome) }
        let failures = await board.end()
        let isCaught = await board.isCaught
        if until == nil ? failures > 0 : !isCaught { throw ExitCode.failure }
    }
}

/// Prints the table as it grows.
private actor Board {
    private let command: ChaosRunnerCommand
    private var table = Table()
    /// Whether a rule was broken that was to be.
    private(set) var isCaught = false
    private let wanted: Set<String>?

    init(command: ChaosRunnerCommand) {
        self.command = command
        wanted = command.until.map { Set($0.split(separator: ",").map(String.init)) }
    }

    /// - Returns: whether to go on.
    func show(_ outcome: Outcome) throws -> Bool {
        say(table.add(outcome))
        let violations = outcome.verdict.violations
        let isUnexpected = violations.contains { wanted?.contains($0.rule.rawValue) != true }
        if command.keepAll || isUnexpected {
            let folder = URL(filePath: command.keep).appending(path: "seed-\(outcome.seed)")
            try outcome.keep(in: folder)
            if !violations.isEmpty { say("    history: \(folder.path)") }
        }
        let shown = wanted == nil ? 20 : 3
        for violation in violations.prefix(shown) { say("    \(violation)") }
        if violations.count > shown { say("    and \(violations.count - shown) more") }
        guard let wanted else {
            let kind = command.failover ? " --failover" : ""
            if !violations.isEmpty { say("    repeat: deploy/chaos\(kind) --seeds 1 --first \(outcome.seed)") }
            return true
        }
        if violations.contains(where: { wanted.contains($0.rule.rawValue) }) { isCaught = true }
        return !isCaught
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
