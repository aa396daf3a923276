import Logging
import Postgres
import Support
import TestSupport
import Testing

@testable import FlowControl

@Suite(.timeLimit(.minutes(2)))
struct GateWatcherTests {
    /// A worker that holds permits, and watches.
    private static func watching(
        _ fixture: GateFixture,
        hears: Bool,
        _ body: (FlowControl) async throws -> Void
    ) async throws {
        let flow = fixture.flow()
        let logger = Logger(label: "test")
        let listener = PostgresListener(
            configuration: fixture.database.configuration,
            channels: [GateWatcher.channel],
            logger: logger
        ) { event in
            switch event {
            case .listening: flow.set(isHearing: true)
            case .notification: flow.hearOfClosing()
            case .disconnected, .pooled: flow.set(isHearing: false)
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            if hears {
                group.addTask { try await listener.run() }
                try await eventually(within: .seconds(10), "LISTEN") { flow.isHearing.withLock { $0 } }
            }
            group.addTask { try await GateWatcher(flow: flow, logger: logger).run() }
            try await body(flow)
            group.cancelAll()
        }
    }

    /// Whoever closes it, with and without notifications.
    @Test(arguments: [true, false]) func aClosingReachesWorkersThatHoldPermits(hears: Bool) async throws {
        try await GateFixture.with { fixture in
            try await Self.watching(fixture, hears: hears) { flow in
                #expect(try await fixture.take(flow, 10).lastDue(10) != nil)
                _ = await fixture.refuse(fixture.flow(), asked: .seconds(90))
                let limit = Duration.seconds(hears ? 3 : 6)
                try await eventually(within: limit, "the closing of the token") {
                    flow.closing(of: [fixture.token]).map { $0.wait > .seconds(80) } == true
                }
                // Also while nobody notifies it any more.
                for _ in 1...8 {
                    try await Task.sleep(for: .milliseconds(500))
                    #expect(flow.closing(of: [fixture.token]) != nil)
                }
                let gates = GateList(pool: fixture.pool)
                _ = try await gates.close(fixture.peer, for: .seconds(600), reason: "Moving house.")
                try await eventually(within: limit, "the closing of the peer") {
                    flow.closing(of: [fixture.peer])?.reason == "Moving house."
                }
            }
        }
    }
}
