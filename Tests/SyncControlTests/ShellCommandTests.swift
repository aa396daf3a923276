import JobQueue
import Postgres
import Support
import TestSupport
import Testing

/// Commands in messages are made to be pasted, whatever a user is called.
@Suite("Commands in messages", .migrated)
struct ShellCommandTests {
    @Test(
        "A command is quoted where it has to be",
        arguments: [
            ("anna@example.org", "c anna@example.org --o"), ("x; curl evil|sh #", "c 'x; curl evil|sh #' --o"),
            ("$(reboot)", "c '$(reboot)' --o"), ("--help", "c --o -- --help"), (" a", "c ' a' --o"),
            ("it's", "c 'it'\\''s' --o"), ("-a b", "c --o -- '-a b'"), ("a\u{202E}b", #"c $'a\342\200\256b' --o"#),
            ("\u{200B}1", #"c $'\342\200\2131' --o"#),
        ]
    )
    func quoting(user: String, command: String) {
        #expect(UserID(user).shellCommand("c", "--o") == command)
    }

    private static let names = [
        "anna@example.org", "it's", "\"", "'", "'\u{301}; exit 7; '\u{301}", "a\u{202E}b", "a\u{2067}'\\b\"",
        "\u{200B}7", "\u{85}x",
        "line\nline", "a\tb", "\\", "$HOME `id` !x", "--help", "-n", "ä ö", "👩‍👩‍👧", " a ",
    ]

    /// As it is shown: without control characters and with those that turn a text around made visible.
    @Test("What a shell makes of a shown command is the user's name", arguments: names)
    func shell(name: String) async throws {
        let commands = [
            UserID(name).shellCommand("show", "--last"), UserID(name).shellCommand(withOption: "show"),
        ]
        for command in commands {
            let shown = command.withVisibleControls
            #expect(!shown.unicodeScalars.contains { $0.properties.generalCategory == .control }, "\(shown)")
            let run = try ProgramRun(
                executable: "/bin/bash",
                ["-c", #"show() { printf '%s\0' "$@" | od -An -v -tx1 | tr -d ' \n'; }; "# + shown]
            )
            #expect(try await run.waitForExit() == .code(0), "\(run.transcript)")
            let bytes = name.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            #expect(run.standardOutput.joined().contains(bytes + "00"), "\(shown)")
        }
    }

    @Test("What enqueue says to do can be done", arguments: ["a\u{202E}'na@example.org", "\"o'neil\"", "--full"])
    func storing(user: String) async throws {
        let control = try ControlFixture()
        let refused = try await control.run("enqueue", "--", user)
        let command = try #require(refused.errors.firstMatch(of: /Store them with: (.*) — or/)?.1)
        let run = try ProgramRun(
            executable: "/bin/bash",
            [
                "-c", #"syncctl() { printf 'google\nnotion\n' | "$0" "$@"; }; "# + command,
                ProgramRun.path(of: "syncctl"),
            ],
            environment: control.environment
        )
        #expect(try await run.waitForExit() == .code(0), "\(run.transcript)")
        let stored: [String] = try await control.database.pool.query("SELECT user_id FROM credentials").map {
            try $0.decode("user_id")
        }
        #expect(stored == [user])
    }
}
