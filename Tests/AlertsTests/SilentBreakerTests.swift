import Postgres
import TestSupport
import Testing

@testable import Alerts

/// A peer that takes calls and answers none is out of order at once, and told of once its slowest call would be over.
@Suite("Breakers of silent peers", .migrated, .timeLimit(.minutes(2)))
struct SilentBreakerTests {
    @Test(
        "The time of its slowest call, where that is longer than the time of any other outage",
        arguments: [
            (true, 301, false), (true, 1799, false), (true, 1801, true), (false, 299, false), (false, 301, true),
        ]
    )
    func breakerOpen(isSilent: Bool, seconds: Int, isTold: Bool) async throws {
        var fixture = try AlertFixture()
        fixture.configuration.rules.peers = [
            AlertRules.Peer(name: "keep_extractor", url: "http://127.0.0.1:1", silentAfter: .seconds(1800))
        ]
        fixture.configuration.rules.peerDownAfter = .seconds(300)
        try await fixture.pool.execute(
            """
            INSERT INTO sync_gates (gate, opened_at, is_silent)
            VALUES ('keep_extractor', now() - make_interval(secs => \(Double(seconds))), \(isSilent))
            """
        )
        try await fixture.evaluator().evaluate()
        #expect(try await fixture.openAlerts().map(\.kind) == (isTold ? ["breaker_open"] : []))
    }
}
