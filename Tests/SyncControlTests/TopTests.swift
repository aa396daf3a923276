import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import SyncControl

@Suite("syncctl top", .migrated)
struct TopTests {
    private static let enter = "\u{1B}[?1049h"
    private static let leave = "\u{1B}[?25h\u{1B}[?1049l"

    private func prepare(_ control: ControlFixture) async throws {
        try await control.insertWorker()
        try await control.insertFailures(3)
        _ = try await control.insertJob(user: "anna")
        _ = try await control.jobs.enqueue(user: UserID("bob"), fullSync: false, runAt: Date() + 3600)
        try await control.execute(
            """
            INSERT INTO sync_gates (gate, closed_at, closed_until, reason, closed_by)
            VALUES ('notion_writer', now(), now() + interval '1 hour', 'It is being moved.', 'ops')
            """
        )
    }

    /// The last frame as it was drawn, without control sequences.
    private func frame(_ screen: String) -> [String] {
        let last = screen.components(separatedBy: "\u{1B}[H").last ?? ""
        return last.replacing(/\x1B\[[?0-9;]*[A-Za-z]/, with: "").components(separatedBy: "\r\n")
    }

    @Test(
        "It shows the whole within the terminal, at any width",
        arguments: [(40, 10), (80, 24), (200, 50)] as [(UInt16, UInt16)]
    )
    func shows(columns: UInt16, rows: UInt16) async throws {
        let control = try ControlFixture()
        try await prepare(control)
        let terminal = try PseudoTerminal(columns: columns, rows: rows)
        let run = try terminal.run(control, ["top", "--interval", "200ms"])
        try await terminal.waitFor("queue    due 1")
        #expect(terminal.screen.contains(Self.enter))
        if rows >= 24 {
            try await terminal.waitFor("It is being moved.")
            try await terminal.waitFor("Notion answers 503.")
            try await terminal.waitFor("w1")
        }
        // What changes is seen with the next look.
        _ = try await control.insertJob(user: "cyd")
        try await terminal.waitFor("queue    due 2")
        terminal.type("q")
        #expect(try await run.waitForExit() == .code(0))
        try await eventually(within: .seconds(20), "the screen is left") { terminal.screen.hasSuffix(Self.leave) }
        let shown = terminal.screen.components(separatedBy: Self.enter).last ?? ""
        for drawn in shown.components(separatedBy: "\u{1B}[H").dropFirst() {
            let lines = frame(drawn)
            #expect(lines.count <= Int(rows), "\(lines)")
            for line in lines { #expect(line.displayWidth <= Int(columns), "\(line)") }
        }
    }

    @Test("Ctrl-C, SIGTERM and SIGINT leave the terminal as it was", arguments: [nil, SIGTERM, SIGINT])
    func ends(signal: Int32?) async throws {
        let control = try ControlFixture()
        let terminal = try PseudoTerminal()
        let device = try terminal.openDevice()
        #expect(PseudoTerminal.isLineByLine(device))
        let run = try terminal.run(control, ["top"])
        try await terminal.waitFor("No worker is running")
        #expect(!PseudoTerminal.isLineByLine(device))
        if let signal { run.send(signal: signal) } else { terminal.type("\u{3}") }
        #expect(try await run.waitForExit() == .code(0))
        try await eventually(within: .seconds(20), "the screen is left") { terminal.screen.hasSuffix(Self.leave) }
        #expect(PseudoTerminal.isLineByLine(device))
    }

    @Test("A new size is drawn for at once")
    func resize() async throws {
        let control = try ControlFixture()
        try await prepare(control)
        let terminal = try PseudoTerminal(columns: 80)
        let run = try terminal.run(control, ["top", "--interval", "1h"])
        try await terminal.waitFor("WORKER")
        #expect(!terminal.screen.contains("VERSION"))
        try terminal.resize(columns: 200, rows: 50)
        run.send(signal: SIGWINCH)
        try await terminal.waitFor("VERSION")
        terminal.type("q")
        #expect(try await run.waitForExit() == .code(0))
    }

    @Test("While the database is away the screen says so, and q still ends it")
    func databaseAway() async throws {
        let control = try ControlFixture()
        let terminal = try PseudoTerminal()
        let run = try terminal.run(control, ["top", "--interval", "200ms"])
        try await terminal.waitFor("queue    due 0")
        try await control.execute("ALTER TABLE sync_workers RENAME TO sync_workers_away")
        try await terminal.waitFor("The database can't be asked, trying again")
        try await control.execute("ALTER TABLE sync_workers_away RENAME TO sync_workers")
        try await eventually(within: .seconds(20), "it is asked again") {
            !frame(terminal.screen).contains { $0.hasPrefix("! The database") }
        }
        terminal.type("q")
        #expect(try await run.waitForExit() == .code(0))
    }

    @Test("Without a terminal it says so; one look is there as JSON")
    func withoutTerminal() async throws {
        let control = try ControlFixture()
        try await prepare(control)
        let refused = try await control.run("top")
        #expect(refused.code == 64 && refused.errors.contains("needs a terminal"), "\(refused)")
        #expect(refused.output.isEmpty && refused.errors.contains("syncctl top --json"), "\(refused)")
        struct Answer: Decodable {
            struct Queue: Decodable {
                let due: Int
                let later: Int
            }
            struct Failure: Decodable {
                let cause: String
                let count: Int
                let users: Int
            }
            let queue: Queue
            let failures: [Failure]
        }
        let answer: Answer = try await control.run("top", "--json").json()
        #expect(answer.queue.due == 1 && answer.queue.later == 1)
        // They differ in nothing but their users, and are one cause.
        #expect(answer.failures.map(\.count) == [3] && answer.failures.map(\.users) == [3])
        let cause = try #require(answer.failures.first?.cause)
        let retried = try await control.run("retry", "--cause", cause, "--dry-run")
        #expect(retried.output.contains("This retries 3 jobs of 3 users"), "\(retried)")
    }

    @Test(
        "Room is shared: what one section does not want the others have",
        arguments: [
            ([3, 10, 10], 9, [3, 3, 3]), ([1, 10, 2], 9, [1, 6, 2]), ([2, 2], 20, [2, 2]), ([5], 0, [0]), ([], 5, []),
        ] as [([Int], Int, [Int])]
    )
    func shares(wanted: [Int], room: Int, shares: [Int]) {
        #expect(TopScreen.shares(of: wanted, in: room) == shares)
    }
}
