import ArgumentParser
import Foundation
import JobQueue
import TestSupport
import Testing

@testable import SyncControl

@Suite("Colours, and what was meant", .migrated)
struct ColourTests {
    private static let red = "\u{1B}[31m"

    private func screen(_ words: [String], _ environment: [String: String] = [:]) async throws -> String {
        let control = try ControlFixture(["NO_COLOR": "", "TERM": "xterm"].merging(environment) { $1 })
        try await control.insertFailures(1)
        let terminal = try PseudoTerminal()
        let run = try terminal.run(control, words)
        #expect(try await run.waitForExit() == .code(0))
        try await eventually(within: .seconds(20), "the list") { terminal.screen.contains("Notion answers 503.") }
        return terminal.screen
    }

    @Test("A terminal has colours, unless it or somebody does not want them")
    func terminal() async throws {
        #expect(try await screen(["jobs"]).contains("\(Self.red)failed\u{1B}[0m"))
        #expect(try await !screen(["jobs"], ["NO_COLOR": "1"]).contains("\u{1B}["))
        #expect(try await !screen(["jobs"], ["TERM": "dumb"]).contains("\u{1B}["))
        #expect(try await !screen(["jobs", "--color", "never"]).contains("\u{1B}["))
        #expect(try await screen(["--color=always", "jobs"], ["NO_COLOR": "1"]).contains(Self.red))
    }

    @Test("Elsewhere there are none, unless they are asked for")
    func pipe() async throws {
        let control = try ControlFixture(["NO_COLOR": ""])
        try await control.insertFailures(1)
        #expect(try await !control.run("jobs").output.contains("\u{1B}"))
        let coloured = try await control.run("jobs", "--color", "always")
        #expect(coloured.output.contains("\(Self.red)failed\u{1B}[0m"), "\(coloured)")
        let plain = coloured.output.replacing(/\x1B\[\d+m/, with: "")
        let usual = try await control.run("jobs").output
        #expect(plain == usual)
        #expect(try await !control.run("jobs", "--color", "always", "--json").output.contains("\u{1B}"))
        let refused = try await control.run("jobs", "99999999", "--color=always")
        #expect(refused.code == 66 && refused.errors.hasPrefix("\(Self.red)syncctl:\u{1B}[0m "), "\(refused)")
    }

    @Test(
        "A mistyped word is told with the one that was meant",
        arguments: [
            (["jbos"], "Did you mean: syncctl jobs?"), (["worker"], "Did you mean: syncctl workers?"),
            (["credentials", "lst"], "Did you mean: syncctl credentials list?"),
            (["reencrypt"], "Did you mean: syncctl credentials reencrypt?"),
            (["jobs", "--color", "alwys"], "Did you mean: always?"), (["jobs", "--color"], "--color needs a value."),
            (["jobs", "--color=blue"], "There are: auto, always, never."),
            (["retry", "--casue", "4f1a0c7be2d9"], "Did you mean: --cause?"),
            (["jobs", "--colr", "never"], "Did you mean: --color?"),
            (["notes", "shwo"], "Did you mean: syncctl notes show?"),
        ] as [([String], String)]
    )
    func meant(words: [String], advice: String) async throws {
        let run = try await ControlFixture().run(words: words)
        #expect(run.code == 64 && run.output.isEmpty && run.errors.contains(advice), "\(run)")
    }

    @Test(
        "Letters that were left out, put in, changed or exchanged are counted",
        arguments: [
            ("jobs", "jobs", 0), ("jbos", "jobs", 1), ("job", "jobs", 1), ("faild", "failed", 1), ("", "ab", 2),
            ("abc", "xyz", 3),
        ]
    )
    func distance(one: String, other: String, distance: Int) {
        #expect(Likeness.distance(one, other) == distance)
    }

    @Test("Behind -- a word is a name, whatever it looks like")
    func names() {
        let taken = ColourChoice.taken(from: ["user", "--", "--color", "x"])
        #expect(taken.rest == ["user", "--", "--color", "x"] && taken.choice == nil && taken.fault == nil)
        #expect(ColourChoice.taken(from: ["a", "--color", "never", "b"]).rest == ["a", "b"])
    }

    @Test(
        "A time that can't be one says why, and one out of range the range",
        arguments: [
            ("3000-01-01", "from 1970-01-01T00:00:00Z to 2999-12-31T23:59:59Z"), ("1969-12-31", "1970-01-01"),
            ("+36501d", "+36500d at most"), ("2026-02-30", "no day or time that there is"), ("tomorrow", "is no time"),
        ]
    )
    func times(text: String, words: String) async throws {
        let run = try await ControlFixture().run("enqueue", "anna", "--force", "--at", text)
        #expect(run.code == 64 && run.errors.contains(words), "\(run)")
    }

    private static func all(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
        let others = command.configuration.subcommands
        return others.isEmpty ? [command] : others.flatMap(all)
    }

    @Test("Every command has --json")
    func json() {
        let commands = Self.all(SyncControlCommand.self)
        #expect(commands.count > 30)
        for command in commands {
            let help = SyncControlCommand.helpMessage(for: command, columns: 80)
            #expect(help.contains("--json"), "\(command)")
        }
    }

    @Test("What a command has changed is there for programs")
    func changes() async throws {
        let control = try ControlFixture()
        let key = try await control.run("keygen", "--json").json([String: String].self)["key"]
        #expect(key?.count == 44)
        let set = try await control.run(
            "credentials",
            "set",
            "anna",
            "--database-id",
            "d1",
            "--json",
            input: "google\nnotion\n"
        )
        #expect(set.output == #"{"is_replaced":false,"notion_database_id":"d1","user_id":"anna"}"#, "\(set)")
        let bound = try await control.run("credentials", "bind", "anna", "--json")
        #expect(bound.output == #"{"bound":["anna"],"refused":[]}"#, "\(bound)")
        let deleted = try await control.run("credentials", "delete", "anna", "--json")
        #expect(deleted.output == #"{"is_deleted":true,"user_id":"anna"}"#, "\(deleted)")
        let id = try await control.insertJob()
        try await control.finish(id, .failed, error: "r")
        let watched = try await control.run("watch", "\(id)", "--json")
        #expect(watched.code == 1 && watched.output.contains(#""status":"failed""#), "\(watched)")
        #expect(watched.output.split(separator: "\n").count == 1, "\(watched)")
    }
}
