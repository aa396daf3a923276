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

    /// Neither crowd pushes out the other: heads without a body are as easily sent as nothing.
    @Test(arguments: [true, false]) func theLargerCrowdGivesWay(isOfHeads: Bool) {
        let limits = ConnectionLimits(maximum: 5, maximumPerAddress: 5, spareTime: .seconds(3600))
        let honest = EmbeddedChannel()
        #expect(limits.open(honest) == nil)
        if !isOfHeads { limits.requests(honest) }
        for number in 1...100 {
            let channel = EmbeddedChannel()
            let victim = limits.open(channel)
            #expect(victim == nil || victim !== honest, "\(number)")
            if isOfHeads { limits.requests(channel) }
        }
    }

    /// One address with a connection or two does not give way to another with hundreds.
    @Test func theAddressWithMostGivesWay() throws {
        let limits = ConnectionLimits(maximum: 4, maximumPerAddress: 4, spareTime: .seconds(3600))
        func channel(_ address: String) throws -> EmbeddedChannel {
            let channel = EmbeddedChannel()
            channel.remoteAddress = try SocketAddress(ipAddress: address, port: 1)
            return channel
        }
        let honest = try channel("127.0.0.1")
        #expect(limits.open(honest) == nil)
        for _ in 1...3 { #expect(limits.open(try channel("127.0.0.2")) == nil) }
        for number in 3...9 {
            let victim = limits.open(try channel("127.0.0.\(number % 2 + 2)"))
            #expect(victim != nil && victim !== honest)
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
        #expect(limits.open(EmbeddedChannel()) === silent)
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
