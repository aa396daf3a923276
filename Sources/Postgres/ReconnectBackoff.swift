/// The growing, jittered delay between attempts to connect.
///
/// Attempt n waits between half and all of `min(cap, base · 2ⁿ)`: enough spread that replicas do not come back in step,
/// and never so little that a server that just starts is hammered.
struct ReconnectBackoff: Sendable {
    var base: Duration = .milliseconds(100)
    var cap: Duration = .seconds(5)
    private(set) var failures = 0

    /// Counts a failure and gives the delay before the next attempt.
    mutating func nextDelay() -> Duration {
        let ceiling = min(cap, base * (1 << min(failures, 16)))
        failures += 1
        return ceiling * Double.random(in: 0.5...1)
    }

    mutating func reset() {
        failures = 0
    }
}
