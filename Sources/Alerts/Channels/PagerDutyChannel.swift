import CurlHTTP
import Foundation
import Telemetry

/// PagerDuty's Events API v2.
///
/// Source: PagerDuty developer documentation, "Send an alert event".
struct PagerDutyChannel: AlertChannel {
    let name: String
    let routingKey: Sensitive<String>
    let url: String

    var shownAddress: String { AddressText.shown(url) }
    var identity: String { url + " " + routingKey.value }
    var tellsResolution: Bool { true }

    private struct Event: Encodable {
        let routingKey: String
        let action: String
        let deduplicationKey: String
        let payload: Payload?
        let client: String?

        enum CodingKeys: String, CodingKey {
            case payload, client
            case routingKey = "routing_key"
            case action = "event_action"
            case deduplicationKey = "dedup_key"
        }
    }

    private struct Payload: Encodable {
        let summary: String
        let source: String
        let severity: String
        let timestamp: String
        let component: String
        let group: String?
        let `class`: String
        let details: [String: String]

        enum CodingKeys: String, CodingKey {
            case summary, source, severity, timestamp, component, group, `class`
            case details = "custom_details"
        }
    }

    func request(for message: AlertMessage, at time: Date) throws -> HTTPRequest {
        let isResolution = message.event == .resolve
        let event = Event(
            routingKey: routingKey.value,
            action: isResolution ? "resolve" : "trigger",
            deduplicationKey: Self.deduplicationKey(message),
            payload: isResolution ? nil : Self.payload(message),
            client: isResolution ? nil : message.source
        )
        return HTTPRequest(
            method: .post,
            url: try HTTPRequest.url(base: url, path: "/v2/enqueue"),
            headers: ["Content-Type": "application/json"],
            body: try JSONBody.encode(event)
        )
    }

    func outcome(of response: HTTPResponse) -> DeliveryOutcome { DeliveryOutcome(response) }

    /// The limits of the API.
    private static let longestSummary = 1024
    private static let longestKey = 255

    /// The same for all that is told of one condition of one installation, at most 255 characters.
    static func deduplicationKey(_ message: AlertMessage) -> String {
        // Neither has an end: what is held back today is not what was held back yesterday.
        let isOwn = message.event == .heldBack || message.event == .test
        let key = "\(message.source):\(message.key)" + (isOwn ? ":\(message.webhookID)" : "")
        guard key.utf8.count > longestKey else { return key }
        return key.bounded(bytes: longestKey - 17) + "-" + Fingerprint.of(key)
    }

    private static func payload(_ message: AlertMessage) -> Payload {
        var details = ["what": message.text, "key": message.shownKey, "count": String(message.count)]
        details["do"] = message.advice
        details["job_id"] = message.jobID?.uuidString.lowercased()
        details["user_id"] = message.shownUser
        details["users"] = message.users.isEmpty ? nil : message.shownUsers
        details["error"] = message.reason.isEmpty ? nil : message.reason
        return Payload(
            summary: message.text.bounded(bytes: longestSummary),
            source: message.source,
            severity: message.severity.rawValue,
            timestamp: JSONBody.time(message.lastAt),
            component: "sync-worker",
            group: message.source,
            class: message.kind?.rawValue ?? message.event.rawValue,
            details: details
        )
    }
}
