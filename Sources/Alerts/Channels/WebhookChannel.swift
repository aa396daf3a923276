import CurlHTTP
import Foundation
import Telemetry

/// Anything that takes a POST of JSON: the fields of the service that this one replaces, and a few more.
struct WebhookChannel: AlertChannel {
    let name: String
    let url: Sensitive<String>
    let secrets: Sensitive<[String]>

    var shownAddress: String { AddressText.shown(url.value) }
    var identity: String { url.value }
    /// The one that is replaced told of failures alone; whoever reads its messages takes each for one.
    var tellsResolution: Bool { false }

    private struct Body: Encodable {
        let text: String
        let advice: String?
        let jobID: String?
        let userID: String?
        let error: String
        let kind: String
        let severity: String
        let occurredAt: String
        let count: Int

        enum CodingKeys: String, CodingKey {
            case text, advice, error, kind, severity, count
            case jobID = "job_id"
            case userID = "user_id"
            case occurredAt = "occurred_at"
        }

        init(_ message: AlertMessage) {
            // Who shows the text alone is to see what to do, as on every channel.
            text = [message.text, message.advice].compactMap(\.self).joined(separator: " ")
            advice = message.advice
            // PostgreSQL and Python write identifiers in lower case.
            jobID = message.jobID?.uuidString.lowercased()
            userID = message.userID
            error = message.reason
            kind = message.kind?.rawValue ?? message.event.rawValue
            severity = message.severity.rawValue
            occurredAt = JSONBody.time(message.lastAt)
            count = message.count
        }
    }

    func request(for message: AlertMessage, at time: Date) throws -> HTTPRequest {
        let body = try JSONBody.encode(Body(message))
        var headers: HTTPHeaders = ["Content-Type": "application/json", "webhook-id": message.webhookID]
        let timestamp = Int(time.timeIntervalSince1970)
        headers["webhook-timestamp"] = String(timestamp)
        if !secrets.value.isEmpty {
            let signature = WebhookSignature(secrets: secrets.value)
            headers["webhook-signature"] = try signature.header(id: message.webhookID, timestamp: timestamp, body: body)
        }
        return HTTPRequest(method: .post, url: url.value, headers: headers, body: body)
    }

    func outcome(of response: HTTPResponse) -> DeliveryOutcome {
        // Standard Webhooks: 410 means that the endpoint wants no more messages.
        response.status == 410 ? .gone(reason: response.shortAnswer) : DeliveryOutcome(response)
    }
}
