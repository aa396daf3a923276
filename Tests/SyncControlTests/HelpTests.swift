import ArgumentParser
import Foundation
import Settings
import TestSupport
import Testing

@testable import SyncControl

/// What help prints is pasted into a shell, from a terminal of 80 columns or out of a file.
@Suite("Help")
struct HelpTests {
    private static func all(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
        [command] + command.configuration.subcommands.flatMap(all)
    }

    @Test("No line of an example is broken")
    func examples() {
        for command in Self.all(SyncControlCommand.self) {
            let lines = command.configuration.discussion.split(separator: "\n").filter { $0.hasPrefix("  ") }
            let help = SyncControlCommand.helpMessage(for: command, columns: 80).split(separator: "\n")
            for line in lines {
                #expect(help.contains(line), "\(line)")
                // What a shell would take for a part of the command is behind a #.
                #expect(!line.contains(/^  sync.* \(/), "\(line)")
            }
        }
    }

    @Test("No line is longer than a terminal")
    func width() {
        for command in Self.all(SyncControlCommand.self) {
            let help = SyncControlCommand.helpMessage(for: command, columns: 80).split(separator: "\n")
            for line in help { #expect(line.count <= 80, "\(line)") }
        }
    }

    @Test(
        "Nor of the other programs'",
        arguments: [
            ["sync-worker"], ["sync-sidecar"], ["sync-intake"], ["peer-simulator"], ["sync-bench"],
            ["sync-bench", "drain"], ["sync-bench", "pickup"], ["sync-bench", "enqueue"], ["sync-bench", "report"],
            ["sync-bench", "notes"], ["sync-bench", "fresh"], ["sync-bench", "memory"], ["sync-bench", "latency"],
            ["sync-bench", "growth"], ["sync-bench", "all"], ["sync-bench", "soak"], ["sync-bench", "prune"],
            ["sync-bench", "pace"],
        ]
    )
    func width(of command: [String]) async throws {
        let run = try ProgramRun.start(command[0], command.dropFirst() + ["--help"], environment: [:])
        run.closeInput()
        #expect(try await run.waitForExit() == .code(0))
        #expect(run.standardOutput.count > 3)
        for line in run.standardOutput { #expect(line.count <= 80, "\(line)") }
    }

    @Test("Nor of the programs'", arguments: ["sync-worker", "sync-sidecar", "sync-intake", "peer-simulator"])
    func programs(name: String) async throws {
        let run = try ProgramRun.start(name, ["--help"], environment: [:])
        run.closeInput()
        #expect(try await run.waitForExit() == .code(0))
        let lines = run.standardOutput
        let example = try #require(lines.firstIndex(of: "Example:"))
        for line in lines[(example + 1)...].prefix(while: { !$0.isEmpty }) { #expect(line.hasPrefix("  "), "\(line)") }
        guard let settings = lines.firstIndex(where: { $0.hasSuffix("environment variables:") }) else { return }
        let known = Set(SettingsTable.text().components(separatedBy: "\n"))
        let end = lines.firstIndex { $0.hasPrefix("USAGE:") } ?? lines.endIndex
        let shown = lines[(settings + 1)..<end]
        #expect(shown.count > 20)
        for line in shown { #expect(known.contains(line), "\(line)") }
    }

    @Test("A key that is made is shown and kept")
    func keys() {
        for command in [CredentialsForgetKeysCommand.self, KeygenCommand.self] as [any ParsableCommand.Type] {
            let help = SyncControlCommand.helpMessage(for: command)
            let lines = "\n  export AWS_ENCRYPTION_KEY=\"$(syncctl keygen)\"\n  echo \"$AWS_ENCRYPTION_KEY\""
            #expect(help.contains(lines))
        }
    }
}
