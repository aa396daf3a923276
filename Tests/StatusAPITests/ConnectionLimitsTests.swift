import NIOCore
import NIOEmbedded
import Testing

@testable import StatusAPI

/// Which connection goes when there are too many.
struct ConnectionLimitsTests {
    private let limits = ConnectionLimits(maximum: 3, maximumPerAddress: 3, spareTime: .seconds(3600))

    private func opens(_ channel: EmbeddedChannel) -> EmbeddedChannel? {
        limits.open(channel).map { $0 as? EmbeddedChannel } ?? nil
    }

    /// Those that never send anything are let go before one whose request is under way, or that waits between two.
    @Test func oneThatHasShownAHeadStaysWhileThereIsAnother() {
        let (requesting, answered, silent) = (EmbeddedChannel(), EmbeddedChannel(), EmbeddedChannel())
        for channel in [requesting, answered, silent] { #expect(opens(channel) == nil) }
        for channel in [requesting, answered] {
            limits.sends(channel)
            limits.requests(channel)
        }
        limits.answers(answered)
        limits.waits(answered)
        #expect(opens(EmbeddedChannel()) === silent)
        // A crowd of silent ones is as one.
        for _ in 0..<100 {
            let victim = opens(EmbeddedChannel())
            #expect(victim != nil && victim !== requesting && victim !== answered)
        }
    }

    /// As on a busy machine, where others have sent half a head and been read before it is.
    @Test func oneThatHasNotBeenReadOutlastsHalfAHead() async throws {
        let limits = ConnectionLimits(maximum: 2, maximumPerAddress: 2, spareTime: .seconds(1))
        let (unread, half) = (EmbeddedChannel(), EmbeddedChannel())
        #expect(limits.open(unread) == nil && limits.open(half) == nil)
        limits.sends(half)
        try await Task.sleep(for: .milliseconds(150))
        #expect(limits.open(EmbeddedChannel()) === half)
    }

    /// Else whoever has sent one head could keep a place for good.
    @Test func itStaysForAMomentOnly() {
        let limits = ConnectionLimits(maximum: 2, maximumPerAddress: 2, spareTime: .zero)
        let (requesting, silent) = (EmbeddedChannel(), EmbeddedChannel())
        #expect(limits.open(requesting) == nil && limits.open(silent) == nil)
        limits.requests(requesting)
        #expect(limits.open(EmbeddedChannel()) === requesting)
    }

    @Test func oneThatIsBeingAnsweredStays() {
        let (answered, waiting) = (EmbeddedChannel(), EmbeddedChannel())
        for channel in [answered, waiting, EmbeddedChannel()] { #expect(opens(channel) == nil) }
        for channel in [answered, waiting] { limits.sends(channel) }
        limits.answers(answered)
        #expect(opens(EmbeddedChannel()) === waiting)
        limits.waits(answered)
        let victims = (1...3).map { _ in opens(EmbeddedChannel()) }
        #expect(victims.contains { $0 === answered }, "it waits again, and those before it have gone")
    }

    @Test func aNewOneIsClosedWhereAllAreBeingAnswered() {
        let channels = [EmbeddedChannel(), EmbeddedChannel(), EmbeddedChannel()]
        for channel in channels {
            #expect(opens(channel) == nil)
            limits.answers(channel)
        }
        let new = EmbeddedChannel()
        #expect(opens(new) === new)
    }
}
