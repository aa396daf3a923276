import FlowControl
import TestSupport
import Testing

extension GateFixture {
    /// Asks as a job does that would probe.
    func ask(_ flow: FlowControl) async throws -> FlowControl.Admission {
        try await flow.take(2, passing: [peer, token], paced: token, mayProbe: true)
    }

    /// The lease of the next probe, once the cooldown is over.
    func probe(_ flow: FlowControl) async throws -> Int64 {
        var lease: Int64?
        try await eventually(within: .seconds(20), "the end of the cooldown") {
            lease = try await ask(flow).probeLease
            return lease != nil
        }
        return try #require(lease)
    }
}

extension FlowControl.Admission {
    /// That of the probe of the writer; nil if none is to be made.
    var probeLease: Int64? {
        if case .probe(.notionWriter, let lease) = self { lease } else { nil }
    }
}

extension FlowControl {
    static let tokens = (1...3).map { GateName(.notionWriter, .token, key: "t\($0)") }

    /// Says that a call of the writer for one of three tokens has failed.
    func fail(
        _ token: Int = 0,
        isUnreached: Bool = false,
        isSilence: Bool = false,
        isRepeated: Bool = false,
        began: ContinuousClock.Instant = .now,
        reason: String = "It is down.",
        lease: Int64? = nil
    ) async -> Closing? {
        await failed(
            .notionWriter,
            caller: Self.tokens[token],
            isUnreached: isUnreached,
            isSilence: isSilence,
            isRepeated: isRepeated,
            began: began,
            reason: reason,
            lease: lease
        )
    }
}
