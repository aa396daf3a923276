package import CurlHTTP
package import Foundation

/// A way to people: how it wants a message, and what its answers mean.
package protocol AlertChannel: Sendable {
    /// Such as `slack`, or `slack-2` for the second of its kind.
    var name: String { get }
    /// The address as far as it may be shown: scheme and host.
    var shownAddress: String { get }
    /// All that makes the address another one, secrets included.
    var identity: String { get }
    /// Whether it is told that a condition is over.
    var tellsResolution: Bool { get }

    /// - Throws: ``AlertsError``, `CurlHTTPError`.
    func request(for message: AlertMessage, at time: Date) throws -> HTTPRequest
    func outcome(of response: HTTPResponse) -> DeliveryOutcome
}

/// What became of one try.
package enum DeliveryOutcome: Sendable, Equatable {
    /// Taken.
    case delivered(answer: String)
    /// Worth another try, at the earliest after `wait`.
    case retry(reason: String, wait: Duration?)
    /// Will never be taken.
    case refused(reason: String)
    /// The address is gone: no use to send anything there.
    case gone(reason: String)
}

extension DeliveryOutcome {
    /// What HTTP says of a response, where the channel has no rule of its own.
    init(_ response: HTTPResponse) {
        let reason = response.shortAnswer
        switch response.status {
        case 200..<300: self = .delivered(answer: reason)
        case 408, 425, 429, 500...: self = .retry(reason: reason, wait: response.retryAfter)
        case 300..<400: self = .refused(reason: "\(reason) (a redirect, which is not followed)")
        default: self = .refused(reason: reason)
        }
    }
}
