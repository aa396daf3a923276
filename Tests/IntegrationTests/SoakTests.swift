import Foundation
import TestSupport
import Testing

extension IntegrationTests {
    /// A short soak at a rate at which a leak of a kilobyte a job shows; `deploy/soak` runs a long one.
    @Suite struct SoakTests {
        private static let isWanted = !(ProcessInfo.processInfo.environment["SYNC_TEST_SOAK"] ?? "").isEmpty

        @Test(.enabled(if: isWanted, "deploy/test --full"))
        func aWorkerNeedsNoMoreMemoryTheMoreJobsItHasRun() async throws {
            let soak = try ProgramRun.start(
                "sync-bench",
                ["soak", "--minutes", "1", "--warm-up", "0.5", "--rate", "80", "--limit", "2"]
            )
            #expect(try await soak.waitForExit(within: .seconds(300)) == .code(0), "\(soak.transcript)")
        }
    }
}
