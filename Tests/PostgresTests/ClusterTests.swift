import Foundation
import Postgres
import TestSupport
import Testing

/// What the tests themselves stand on.
@Suite(.timeLimit(.minutes(2)))
struct ClusterTests {
    @Test func aKilledParentLeavesNoServerBehind() async throws {
        let cluster = try await PrivateCluster.start()
        let processID = try #require(
            Int32(
                String(contentsOfFile: cluster.folder + "/data/postmaster.pid", encoding: .utf8)
                    .split(separator: "\n")[0]
            )
        )
        #expect(kill(processID, 0) == 0)
        try await cluster.remove()
        #expect(kill(processID, 0) == -1)
        #expect(!FileManager.default.fileExists(atPath: cluster.folder))
    }

    @Test func programsAreStartedReadAndStopped() async throws {
        let run = try ProgramRun(
            executable: "/bin/sh",
            [
                "-c",
                "echo one; echo \"$GREETING\" >&2; trap 'echo bye; exit 3' TERM; while read -r line; do echo \"got $line\"; done",
            ],
            environment: ["GREETING": "hello"]
        )
        try await run.waitForLine(containing: "hello")
        try run.write("ping\n")
        try await run.waitForLine(containing: "got ping")
        run.send(signal: SIGTERM)
        #expect(try await run.waitForExit() == .code(3))
        #expect(run.standardOutput == ["one", "got ping", "bye"])
        await #expect(throws: (any Error).self) { try await run.waitForLine(containing: "never") }
    }
}
