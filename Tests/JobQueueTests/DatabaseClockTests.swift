import Testing

@testable import JobQueue

/// A database's clock that is set, as a worker sees it that reads it now and then.
struct DatabaseClockTests {
    private static let begin = ContinuousClock.now

    private func jump(
        _ offset: Duration,
        after previous: Duration = .zero,
        latency: Duration = .zero,
        lease: Duration = .seconds(60)
    ) -> Duration? {
        let clock = DatabaseClock(lease: lease)
        let year = Duration.seconds(1_800_000_000)
        #expect(clock.observe(year, sent: Self.begin, received: Self.begin + previous) == nil, "the first")
        let later = Self.begin + .seconds(30)
        return clock.observe(year + .seconds(30) + offset, sent: later, received: later + latency)
    }

    @Test func aClockThatGoesOnIsSteady() {
        #expect(jump(.zero) == nil)
        #expect(jump(.seconds(9)) == nil, "less than a sixth of a lease")
        #expect(jump(.seconds(-3600)) == nil, "ends no lease")
    }

    @Test func aClockThatIsSetForwardIsSeen() {
        #expect(jump(.seconds(3600)) == .seconds(3600))
        #expect(jump(.seconds(11)) == .seconds(11))
        #expect(jump(.seconds(2), lease: .seconds(6)) == .seconds(2))
    }

    /// The answer's time may be of any moment between question and answer.
    @Test func aSlowAnswerIsNoJump() {
        #expect(jump(.seconds(20), latency: .seconds(20)) == nil)
        #expect(jump(.zero, after: .seconds(25)) == nil)
        #expect(jump(.seconds(40), latency: .seconds(20)) == .seconds(20), "what is left of it")
    }
}
