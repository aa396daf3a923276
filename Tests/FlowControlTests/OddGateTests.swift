import Foundation
import Postgres
import TestSupport
import Testing

@testable import FlowControl

/// Rows of gates as somebody with rights on them may write them: whatever they say, calls pass or wait.
@Suite(.timeLimit(.minutes(2)))
struct OddGateTests {
    private static let times = [
        "closed_at", "closed_until", "slowed_at", "next_at", "minute", "failing_since", "failed_at", "succeeded_at",
        "opened_at", "broken_since", "recovered_at", "probe_at", "probe_until", "used_at",
    ]

    @Test(arguments: times, ["infinity", "-infinity", "294276-12-31", "4713-01-01 BC"]) func anInfiniteTimeFailsNoCall(
        _ column: String,
        _ time: String
    )
        async throws
    {
        try await goesOn("\(column) = '\(time)'")
    }

    @Test(arguments: ["rate", "slowed_rate", "cooldown"], ["NaN", "Infinity", "-Infinity", "1e300"])
    func aNumberThatIsNoneFailsNoCall(_ column: String, _ number: String) async throws {
        try await goesOn("\(column) = '\(number)'")
    }

    private func goesOn(_ change: String) async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            _ = try await fixture.take(flow, 1)
            _ = await fixture.refuse(flow, asked: nil)
            try await fixture.pool.withConnection { connection in
                try await connection.runScript("UPDATE sync_gates SET closed_until = NULL, slowed_rate = 1")
                try await connection.runScript("UPDATE sync_gates SET \(change)")
                try await connection.runScript("INSERT INTO sync_gates (gate) VALUES ('keep_extractor')")
                try await connection.runScript("UPDATE sync_gates SET \(change) WHERE gate = 'keep_extractor'")
            }
            _ = try await fixture.take(flow, 1)
            _ = await fixture.refuse(flow, asked: nil)
            let gates = GateList(pool: fixture.pool)
            #expect(try await gates.gates(isComplete: true, limit: 100).isEmpty == false)
            _ = try await gates.open(fixture.token)
            let admission = try await fixture.take(flow, 1)
            #expect(admission.lastDue(1) != nil || change.hasPrefix("opened_at") || change.hasPrefix("closed_until"))
        }
    }
}
