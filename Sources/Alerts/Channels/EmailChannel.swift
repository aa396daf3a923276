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
    var isChecked: Bool { false }

    private struct Text: Encodable {
        let Data: String
        var Charset = "UTF-8"
    }

    private struct Mail: Encodable {
        struct Destination: Encodable { let ToAddresses: [String] }
        struct Body: Encodable { let Text: EmailChannel.Text }
        struct Simple: Encodable {
            let Subject: EmailChannel.Text
            let Body: Mail.Body
        }
        struct Content: Encodable { let Simple: Mail.Simple }

        let FromEmailAddress: String
        let Destination: Mail.Destination
        let Content: Mail.Content
    }

    func request(for message: AlertMessage, at time: Date) throws -> HTTPRequest {
        let mail = Mail(
            FromEmailAddress: from,
            Destination: .init(ToAddresses: [to]),
            Content: .init(
                Simple: .init(
                    Subject: Text(Data: message.title.bounded(200)),
                    Body: .init(Text: Text(Data: Self.letter(message)))
                )
            )
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
            "Condition: \(message.key)", "Severity: \(message.severity.rawValue)", "Count: \(message.count)",
            message.jobID.map { "Job: \($0.uuidString.lowercased())" },
            message.userID.map { "User: \($0)" },
            message.users.count > 1 ? "Users: \(message.users.joined(separator: ", "))" : nil,
            "Time: \(JSONBody.time(message.lastAt))", "Message: \(message.webhookID)",
        ]
        return [message.text, message.advice, facts.compactMap(\.self).joined(separator: "\n")]
            .compactMap(\.self).joined(separator: "\n\n") + "\n"
    }
}
