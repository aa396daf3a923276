import Chaos
import Testing

/// A short run of what `deploy/chaos --hostile` does for ten minutes.
@Suite(.serialized) struct HostileTests {
    @Test(.timeLimit(.minutes(3)))
    func hostileNeighboursHarmNobodyElse() async throws {
        let outcome = try await HostileRun.perform(seed: 1, for: .seconds(8))
        for violation in outcome.violations {
            Issue.record("\(violation)\nagain: deploy/chaos --hostile --seeds 1 --first 1 --seconds 8")
        }
        // It was hostile.
        for act in ["statements of the gateway", "refused 42501", "requests of visitors", "probes", "honest jobs"] {
            #expect(outcome.counts[act] ?? 0 > 0, "\(act): \(outcome.counts)")
        }
        #expect(outcome.memory.count == 4)
    }
}
