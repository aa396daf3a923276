import HTTPTypes
import Hummingbird
import Logging
import Support

/// Says in the log which calls were refused, and why: the gateway marks such a job as failed, and the answer may be the
/// only trace of the reason. One line a second for each status, with the number of those that got none.
final class RefusalLog: Sendable {
    private struct Entry {
        var loggedAt: ContinuousClock.Instant
        var unlogged = 0
    }

    private let logger: Logger
    private let entries = Mutex<[Int: Entry]>([:])

    private static let interval = Duration.seconds(1)
    /// What each refusal means for whoever reads the log.
    private static let reasons: [Int: String] = [
        401: "no bearer token was shown, or not that of SYNC_INTAKE_TOKEN",
        403: "it came from a web page (Origin or Sec-Fetch-Site)",
        408: "its body did not arrive in time",
        413: "its body is too large",
        422: "its body is not what this route takes",
    ]

    init(logger: Logger) {
        self.logger = logger
    }

    /// Takes note of an answer, and returns it.
    func note(_ response: Response, to request: Request) -> Response {
        let status = response.status.code
        guard let reason = Self.reasons[status], let unlogged = turn(of: status, now: .now) else { return response }
        var metadata: Logger.Metadata = ["path": "\(request.uri.path)", "status": "\(status)", "reason": "\(reason)"]
        if unlogged > 0 { metadata["refused_before"] = "\(unlogged)" }
        logger.warning(
            "A call was refused; the gateway marks a job whose start is refused as failed.",
            metadata: metadata
        )
        return response
    }

    /// - Returns: how many went without a line since the last one; nil if this one goes without, too.
    private func turn(of status: Int, now: ContinuousClock.Instant) -> Int? {
        entries.withLock { entries in
            guard let entry = entries[status], now - entry.loggedAt < Self.interval else {
                let unlogged = entries[status]?.unlogged ?? 0
                entries[status] = Entry(loggedAt: now)
                return unlogged
            }
            entries[status]?.unlogged += 1
            return nil
        }
    }
}
