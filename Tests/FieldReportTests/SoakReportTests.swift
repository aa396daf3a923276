import Foundation
import TestSupport
import Testing

/// Reports of what grows with the work that was done.
@Suite(.timeLimit(.minutes(6)))
struct SoakReportTests {
    private static let isWanted = !(ProcessInfo.processInfo.environment["SYNC_TEST_SOAK"] ?? "").isEmpty

    /// awa #449, for a short time at a rate at which a leak of a kilobyte a job shows; `deploy/soak` runs a long one.
    @Test(.enabled(if: isWanted, "deploy/test --full"))
    func memoryAndConnectionsStayTheSameTheMoreJobsAreRun() async throws {
        let soak = try ProgramRun.start(
            "sync-bench",
            ["soak", "--minutes", "1", "--warm-up", "0.5", "--rate", "80", "--limit", "2", "--connections", "8"]
        )
        #expect(try await soak.waitForExit(within: .seconds(300)) == .code(0), "\(soak.transcript)")
    }
}
