import CurlHTTP
import Foundation

/// A mail by AWS SES v2.
///
/// Source: Amazon SES API v2 reference, action `SendEmail`.
struct EmailChannel: AlertChannel {
    let name: String
    let to: String
    let from: String
    let access: AWSAccess

    var shownAddress: String { AddressText.shown(access.url(of: "email")) }
    var identity: String { access.url(of: "email") + " " + to }
    var tellsResolution: Bool { true }

    /// The names of SES begin with capital letters.
    private struct Mail: Encodable {
        struct Destination: Encodable {
            let addresses: [String]
            enum CodingKeys: String, CodingKey { case addresses = "ToAddresses" }
        }
        struct Text: Encodable {
            let data: String
            let charset = "UTF-8"
            enum CodingKeys: String, CodingKey { case data = "Data", charset = "Charset" }
        }
        struct Body: Encodable {
            let text: Text
            enum CodingKeys: String, CodingKey { case text = "Text" }
        }
        struct Simple: Encodable {
            let subject: Text
            let body: Body
            enum CodingKeys: String, CodingKey { case subject = "Subject", body = "Body" }
        }
        struct Content: Encodable {
            let simple: Simple
            enum CodingKeys: String, CodingKey { case simple = "Simple" }
        }

        let sender: String
        let destination: Destination
        let content: Content

        enum CodingKeys: String, CodingKey {
            case sender = "FromEmailAddress"
            case destination = "Destination"
            case content = "Content"
        }
    }

    func request(for message: AlertMessage, at time: Date) throws -> HTTPRequest {
        let text = Mail.Body(text: Mail.Text(data: Self.letter(message)))
        let subject = Mail.Text(data: message.title.bounded(200))
        let mail = Mail(
            sender: from,
            destination: Mail.Destination(addresses: [to]),
            content: Mail.Content(simple: Mail.Simple(subject: subject, body: text))
        )
        return HTTPRequest(
            method: .post,
            url: access.url(of: "email") + "/v2/email/outbound-emails",
            headers: ["Content-Type": "application/json"],
            body: try JSONBody.encode(mail),
            signature: access.signature(for: "ses")
        )
    }

    func outcome(of response: HTTPResponse) -> DeliveryOutcome { DeliveryOutcome(aws: response) }

    private static func letter(_ message: AlertMessage) -> String {
        let facts = [
            "Condition: \(message.shownKey)", "Severity: \(message.severity.rawValue)", "Count: \(message.count)",
            message.jobID.map { "Job: \($0.uuidString.lowercased())" },
            message.shownUser.map { "User: \($0)" },
            message.users.count > 1 ? "Users: \(message.shownUsers)" : nil,
            "Time: \(JSONBody.time(message.lastAt))", "Message: \(message.webhookID)",
        ]
        return [message.text, message.advice, facts.compactMap(\.self).joined(separator: "\n")]
            .compactMap(\.self).joined(separator: "\n\n") + "\n"
    }
}
