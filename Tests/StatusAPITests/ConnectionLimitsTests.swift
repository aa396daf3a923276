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

    /// As on a busy machine, where others have sent half a request and been read before it is.
    @Test func oneThatHasNotBeenReadStaysWhileThereIsAnother() {
        let (unread, half, later) = (EmbeddedChannel(), EmbeddedChannel(), EmbeddedChannel())
        for channel in [unread, half, later] { #expect(opens(channel) == nil) }
        limits.sends(later)
        limits.sends(half)
        #expect(opens(EmbeddedChannel()) === half)
        #expect(opens(EmbeddedChannel()) === later)
        // Nothing has been read of any: the oldest goes.
        #expect(opens(EmbeddedChannel()) === unread)
    }

    /// Else those that never send anything would push out one that waits between two requests.
    @Test func itStaysForAMomentOnly() {
        let limits = ConnectionLimits(maximum: 2, maximumPerAddress: 2, spareTime: .zero)
        let (silent, answered) = (EmbeddedChannel(), EmbeddedChannel())
        #expect(limits.open(silent) == nil && limits.open(answered) == nil)
        limits.sends(answered)
        #expect(limits.open(EmbeddedChannel()) === silent)
    }

    @Test func oneThatIsBeingAnsweredStays() {
        let (answered, waiting) = (EmbeddedChannel(), EmbeddedChannel())
        for channel in [answered, waiting, EmbeddedChannel()] { #expect(opens(channel) == nil) }
        for channel in [answered, waiting] { limits.sends(channel) }
        limits.answers(answered)
        #expect(opens(EmbeddedChannel()) === waiting)
        limits.waits(answered)
        #expect(opens(EmbeddedChannel()) === answered)
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
