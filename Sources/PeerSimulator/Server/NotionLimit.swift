import Support

/// Notion behind the writer, as far as it limits the rate: so many requests a second for each token on average, and a
/// burst.
///
/// The writer in use makes two requests for a page and, where one is refused, sleeps as long as it is asked to before
/// it tries again.
final class NotionLimit: Sendable {
    /// What Notion has counted.
    struct Report: Sendable {
        var requests = 0
        var refusals = 0
        /// Requests of one token that were let through within any ten seconds, at the most.
        var peak = 0
    }

    private struct Bucket {
        var tokens: Double
        var filledAt: ContinuousClock.Instant
    }

    private struct State {
        var buckets: [String: Bucket] = [:]
        var report = Report()
        var accepted = PeakRate(window: .seconds(10))
    }

    private let state = Mutex(State())

    /// Between the two requests of a page.
    static let gap = Duration.milliseconds(150)
    /// How often the writer tries a request again.
    static let retries = 3
    /// What Notion asks for, in whole seconds.
    private static let retryAfter = Duration.seconds(1)

    var report: Report {
        state.withLock { state in
            var report = state.report
            report.peak = state.accepted.peak
            return report
        }
    }

    /// Makes the two requests of a page.
    ///
    /// - Throws: `NotionMessage` where one is refused each time; what `sleep` throws.
    func write(token: String, rate: Double, burst: Double, sleep: (Duration) async throws -> Void) async throws {
        try await request(token, rate, burst, sleep)
        try await sleep(Self.gap)
        try await request(token, rate, burst, sleep)
    }

    private func request(
        _ token: String,
        _ rate: Double,
        _ burst: Double,
        _ sleep: (Duration) async throws -> Void
    ) async throws {
        for _ in 0...Self.retries {
            if isAccepted(token, rate, burst) { return }
            try await sleep(Self.retryAfter)
        }
        throw NotionMessage.rateLimited
    }

    private func isAccepted(_ token: String, _ rate: Double, _ burst: Double) -> Bool {
        let now = ContinuousClock.now
        return state.withLock { state in
            var bucket = state.buckets[token] ?? Bucket(tokens: burst, filledAt: now)
            bucket.tokens = min(burst, bucket.tokens + (now - bucket.filledAt) / .seconds(1) * rate)
            bucket.filledAt = now
            let isAccepted = bucket.tokens >= 1
            if isAccepted {
                bucket.tokens -= 1
                state.accepted.record(token)
            } else {
                state.report.refusals += 1
            }
            state.report.requests += 1
            state.buckets[token] = bucket
            return isAccepted
        }
    }

    /// Starts the counts from zero, and fills the buckets.
    func reset() {
        state.withLock { $0 = State() }
    }
}
