import Support

/// Counts of all that was asked of the peers.
final class RequestLog: Sendable {
    /// The counts of one peer.
    struct PeerReport: Sendable, Encodable {
        var total = 0
        /// Route to status to count; a call whose connection was dropped counts under `closed`.
        var routes: [String: [String: Int]] = [:]
        var bytesIn = 0
        var bytesOut = 0

        private enum CodingKeys: String, CodingKey {
            case total, routes
            case bytesIn = "bytes_in"
            case bytesOut = "bytes_out"
        }
    }

    struct Report: Sendable, Encodable {
        var total = 0
        var extractor = PeerReport()
        var writer = PeerReport()
        /// Writer calls in flight at once, at the most.
        var maxConcurrentWriterCalls = 0
        /// Writer calls in flight at once for one title of one database, at the most.
        var maxConcurrentPerTitle = 0
        /// Keep sync requests (auth and notes) of one user within any minute, at the most. Google allows about 150.
        var peakKeepRequestsPerMinute = 0
        /// Writer calls with one token within any second, at the most. Notion allows about 3 requests, and a call is
        /// two.
        var peakWriterCallsPerSecond = 0
        /// Requests to Notion, those it refused, and those of one token that it let through within any ten seconds, at
        /// the most.
        var notionRequests = 0
        var notionRefusals = 0
        var peakNotionRequestsPerTenSeconds = 0
        var malformedIdempotencyKeys = 0
        var missingIdempotencyKeys = 0
        /// Creates answered with the page that an earlier one with the same key had made.
        var idempotentReplays = 0
        /// Query strings of the latest fetches of notes, as they were sent.
        var notesQueries: [String] = []

        private enum CodingKeys: String, CodingKey {
            case total, extractor, writer
            case maxConcurrentWriterCalls = "max_concurrent_writer_calls"
            case maxConcurrentPerTitle = "max_concurrent_per_title"
            case peakKeepRequestsPerMinute = "peak_keep_requests_per_minute"
            case peakWriterCallsPerSecond = "peak_writer_calls_per_second"
            case notionRequests = "notion_requests"
            case notionRefusals = "notion_refusals"
            case peakNotionRequestsPerTenSeconds = "peak_notion_requests_per_ten_seconds"
            case malformedIdempotencyKeys = "malformed_idempotency_keys"
            case missingIdempotencyKeys = "missing_idempotency_keys"
            case idempotentReplays = "idempotent_replays"
            case notesQueries = "notes_queries"
        }
    }

    private struct State {
        var report = Report()
        var writerCalls = 0
        var callsPerTitle: [String: Int] = [:]
        var keepRate = PeakRate(window: .seconds(60))
        var writerRate = PeakRate(window: .seconds(1))
    }

    private let state = Mutex(State())

    var report: Report {
        state.withLock { state in
            var report = state.report
            report.peakKeepRequestsPerMinute = state.keepRate.peak
            report.peakWriterCallsPerSecond = state.writerRate.peak
            return report
        }
    }

    /// Starts all counts from zero; calls in flight stay counted as such.
    func reset() {
        state.withLock { state in
            state.report = Report()
            state.keepRate = PeakRate(window: .seconds(60))
            state.writerRate = PeakRate(window: .seconds(1))
            state.report.maxConcurrentWriterCalls = state.writerCalls
            state.report.maxConcurrentPerTitle = state.callsPerTitle.values.max() ?? 0
        }
    }

    func record(_ peer: Peer, route: String, status: String, bytesIn: Int) {
        state.withLock { state in
            state.report.total += 1
            let path: WritableKeyPath<Report, PeerReport> = peer == .extractor ? \.extractor : \.writer
            state.report[keyPath: path].total += 1
            state.report[keyPath: path].routes[route, default: [:]][status, default: 0] += 1
            state.report[keyPath: path].bytesIn += bytesIn
        }
    }

    func recordBytesOut(_ peer: Peer, _ count: Int) {
        state.withLock { state in
            if peer == .extractor {
                state.report.extractor.bytesOut += count
            } else {
                state.report.writer.bytesOut += count
            }
        }
    }

    func recordKeepRequest(username: String) {
        state.withLock { $0.keepRate.record(username) }
    }

    func recordNotesQuery(_ query: String) {
        state.withLock { state in
            if state.report.notesQueries.count == Self.rememberedQueries { state.report.notesQueries.removeFirst() }
            state.report.notesQueries.append(query)
        }
    }

    private static let rememberedQueries = 20

    func recordIdempotencyKey(_ key: IdempotencyKey) {
        state.withLock { state in
            switch key {
            case .missing: state.report.missingIdempotencyKeys += 1
            case .malformed: state.report.malformedIdempotencyKeys += 1
            case .given: break
            }
        }
    }

    func recordIdempotentReplay() {
        state.withLock { $0.report.idempotentReplays += 1 }
    }

    func beginWriterCall(token: String, titleKey: String) {
        state.withLock { state in
            state.writerRate.record(token)
            state.writerCalls += 1
            let calls = state.callsPerTitle[titleKey, default: 0] + 1
            state.callsPerTitle[titleKey] = calls
            state.report.maxConcurrentWriterCalls = max(state.report.maxConcurrentWriterCalls, state.writerCalls)
            state.report.maxConcurrentPerTitle = max(state.report.maxConcurrentPerTitle, calls)
        }
    }

    func endWriterCall(titleKey: String) {
        state.withLock { state in
            state.writerCalls -= 1
            let calls = state.callsPerTitle[titleKey, default: 1] - 1
            state.callsPerTitle[titleKey] = calls > 0 ? calls : nil
        }
    }
}

/// The highest number of events of one key within any stretch of a given length.
struct PeakRate: Sendable {
    private let window: Duration
    private var recent: [String: [ContinuousClock.Instant]] = [:]
    private(set) var peak = 0

    init(window: Duration) { self.window = window }

    mutating func record(_ key: String) {
        let now = ContinuousClock.now
        var times = recent[key, default: []]
        times.append(now)
        if let first = times.firstIndex(where: { now - $0 < window }), first > 0 { times.removeFirst(first) }
        peak = max(peak, times.count)
        recent[key] = times
    }
}
