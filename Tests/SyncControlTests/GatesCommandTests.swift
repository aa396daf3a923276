import Foundation
import Postgres
import TestSupport
import Testing

@Suite("syncctl gates", .migrated)
struct GatesCommandTests {
    private struct Gate: Decodable {
        var gate: String
        var isClosed: Bool
        var closedBy: String?
        var closedSeconds: Int
        var permitsPerSecond: Double?
    }

    @Test("A gate is closed, seen and opened by hand")
    func life() async throws {
        let control = try ControlFixture()
        #expect(try await control.run("gates").errors.contains("Every gate is open"))
        let closed = try await control.run(
            "gates",
            "close",
            "notion_writer",
            "--for",
            "30m",
            "--reason",
            "It is being moved."
        )
        #expect(closed.code == 0 && closed.output.contains("Closed until"), "\(closed)")
        let list = try await control.run("gates")
        #expect(list.output.contains("notion_writer") && list.output.contains("in 29 min"), "\(list)")
        #expect(list.output.contains("It is being moved. Closed by postgres."), "\(list)")
        let gates: [Gate] = try await control.run("gates", "list", "--json").json()
        #expect(gates.map(\.gate) == ["notion_writer"] && gates.allSatisfy(\.isClosed))
        #expect(gates.allSatisfy { (1790...1800).contains($0.closedSeconds) && $0.permitsPerSecond == nil })
        let opened = try await control.run("gates", "open", "notion_writer")
        #expect(opened.code == 0 && opened.output.contains("Opened; it was closed for 29 min more."), "\(opened)")
        #expect(try await control.run("gates", "open", "notion_writer").output.contains("open already"))
        #expect(try await control.run("gates", "list").output.contains("open"))
    }

    @Test("A slowed pace is shown, and a gate that nothing has passed for long is not")
    func pace() async throws {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_gates (gate, rate, burst, slowed_rate, slowed_at, used_at)
            VALUES ('notion_writer/token/ab12', 3, 3, 1.5, clock_timestamp(), now()),
                ('notion_writer/token/cd34', 3, 3, NULL, NULL, now() - interval '1 hour')
            """
        )
        let list = try await control.run("gates")
        #expect(list.output.contains("slowed") && list.output.contains("1.5 of 3/s"), "\(list)")
        #expect(!list.output.contains("cd34"), "\(list)")
        #expect(try await control.run("gates", "list", "--all").output.contains("cd34"))
    }

    @Test("What names no gate is refused", arguments: ["notion", "notion_writer/token", "notion_writer/user/x"])
    func names(_ name: String) async throws {
        let control = try ControlFixture()
        let answer = try await control.run("gates", "open", name)
        #expect(answer.code == 64 && answer.errors.contains("is no gate"), "\(answer)")
        let unknown = try await control.run("gates", "open", "notion_writer/token/none")
        #expect(unknown.code == 66, "\(unknown)")
    }
}
