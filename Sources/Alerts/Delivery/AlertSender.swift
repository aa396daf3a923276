package import CurlHTTP
import Foundation
import Support
import Telemetry

/// Sends messages over HTTP, to public addresses alone unless a host is allowed by name.
package struct AlertSender: Sendable {
    private let publicOnly: HTTPClient
    private let anywhere: HTTPClient
    private let allowedHosts: Set<String>
    private let timeout: Duration
    private let sending = SendCount()

    /// Room for any sensible answer; what is longer is not read.
    private static let maximumAnswer = 64 * 1024

    /// - Parameter http: identity and trust of the clients; connections are not shared with others, which might have
    ///   been made to an address that is not checked.
    package init(configuration: NotificationConfiguration, http: HTTPClientConfiguration) {
        var checked = http
        checked.addressPolicy = .publicOnly
        publicOnly = HTTPClient(configuration: checked)
        anywhere = HTTPClient(configuration: http)
        allowedHosts = configuration.allowedPrivateHosts
        timeout = configuration.timeout
    }

    package func shutdown() {
        publicOnly.shutdown()
        anywhere.shutdown()
    }

    /// One try. Its reasons hold no secret.
    package func send(_ message: AlertMessage, to channel: any AlertChannel) async -> DeliveryOutcome {
        sending.value.add(1, ordering: .relaxed)
        defer { sending.value.subtract(1, ordering: .relaxed) }
        do {
            var request = try channel.request(for: message, at: Date())
            request.timeout = timeout
            request.maximumResponseBytes = Self.maximumAnswer
            let host = AddressText.host(of: request.url) ?? ""
            let isAllowed = allowedHosts.contains(host)
            guard isAllowed || request.url.lowercased().hasPrefix("https://") else {
                return .refused(reason: "the address is not https, and \(host) is not in ALERT_ALLOW_PRIVATE_HOSTS")
            }
            let client = isAllowed ? anywhere : publicOnly
            return channel.outcome(of: try await client.execute(request))
        } catch let error as CurlHTTPError {
            return Self.outcome(of: error)
        } catch {
            return .refused(reason: Redactor.processWide.sanitize("\(error)", limit: 200))
        }
    }

    /// Whether a message is on its way.
    package var isSending: Bool { sending.value.load(ordering: .relaxed) > 0 }

    private final class SendCount: Sendable {
        let value = Atomic<Int>(0)
    }

    private static func outcome(of error: CurlHTTPError) -> DeliveryOutcome {
        // The message names the URL, which is a secret here; the reason does not.
        let reason = Redactor.processWide.sanitize(error.reason, limit: 300)
        return switch error.code {
        // Of an answer too long to be read nothing is known but that there is one: sent again it would arrive again.
        case .invalidRequest, .responseTooLarge: .refused(reason: reason)
        case .addressRefused:
            .refused(reason: "\(reason). If this host is meant, name it in ALERT_ALLOW_PRIVATE_HOSTS")
        default: .retry(reason: reason, wait: nil)
        }
    }
}
