internal import CurlHTTP
internal import JobQueue
internal import Metrics

/// What the sync counts. Without a metrics backend nothing happens.
enum SyncMetrics {
    enum Outcome: String {
        case written, upToDate = "up_to_date", trashed, failed
    }

    /// Notes are settled.
    ///
    /// - Parameter operation: what was to be done; nil if nothing was sent.
    static func settled(_ operation: Intent.Operation?, _ outcome: Outcome, count: Int = 1) {
        Counter(
            label: "sync_notes_total",
            dimensions: [("operation", operation?.rawValue ?? "none"), ("outcome", outcome.rawValue)]
        ).increment(by: count)
    }

    static func retried(_ reason: String) {
        Counter(label: "sync_note_retries_total", dimensions: [("reason", reason)]).increment()
    }

    /// Measures a request: `code` is the status of its answer, or the name of the error.
    static func measuring(
        _ service: String,
        _ operation: String,
        _ request: () async throws -> HTTPResponse
    ) async throws -> HTTPResponse {
        let began = ContinuousClock.now
        var code = "error"
        defer {
            Timer(
                label: "sync_peer_request_seconds",
                dimensions: [("service", service), ("operation", operation), ("code", code)]
            ).recordSeconds((ContinuousClock.now - began).seconds)
        }
        do {
            let response = try await request()
            code = String(response.status)
            return response
        } catch let error as CurlHTTPError {
            code = error.code.description
            throw error
        }
    }
}
