import Foundation
import TestSupport
import Testing

/// The model of a job's row, with spin, which `deploy/test --full` installs.
@Suite struct ModelTests {
    private static let isInstalled = !(ProcessInfo.processInfo.environment["SYNC_TEST_SPIN"] ?? "").isEmpty

    @Test(.enabled(if: isInstalled, "deploy/test --full"))
    func theModelHoldsAndEverySpoiledOneIsCaught() async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL
        // Behind all others: it takes a core for minutes and no time matters to it.
        let run = try ProgramRun(
            executable: "/usr/bin/nice",
            ["-n", "19", "/bin/bash", root.appending(path: "deploy/model").path]
        )
        #expect(try await run.waitForExit(within: .seconds(1800)) == .code(0), "\(run.transcript)")
    }
}
