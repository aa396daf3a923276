import CurlHTTP
import Foundation

/// A topic of AWS SNS.
///
/// Source: Amazon SNS API reference, action `Publish`.
struct SNSChannel: AlertChannel {
    let name: String
    let topicARN: String
    let access: AWSAccess

    var shownAddress: String { AddressText.shown(access.url(of: "sns")) }
    var identity: String { access.url(of: "sns") + " " + topicARN }
    /// A topic has no notion of a condition that ends, and may lead to a telephone.
    var tellsResolution: Bool { false }

    func request(for message: AlertMessage, at time: Date) throws -> HTTPRequest {
        var fields = [
            ("Action", "Publish"), ("Version", "2010-03-31"), ("TopicArn", topicARN),
            ("Subject", Self.subject(message.title)),
            ("Message", ([message.text] + [message.advice].compactMap(\.self)).joined(separator: "\n\n")),
        ]
        let attributes = [
            ("kind", message.kind?.rawValue ?? message.event.rawValue), ("severity", message.severity.rawValue),
            ("key", message.key), ("id", message.webhookID),
        ]
        for (index, attribute) in attributes.enumerated() {
            let entry = "MessageAttributes.entry.\(index + 1)"
            fields += [
                ("\(entry).Name", attribute.0), ("\(entry).Value.DataType", "String"),
                ("\(entry).Value.StringValue", attribute.1),
            ]
        }
        if topicARN.hasSuffix(".fifo") {
            fields += [
                ("MessageGroupId", Fingerprint.of(message.key)), ("MessageDeduplicationId", message.webhookID),
            ]
        }
        let body = fields.map { "\($0.0)=\(HTTPRequest.percentEncoded($0.1))" }.joined(separator: "&")
        return HTTPRequest(
            method: .post,
            url: access.url(of: "sns") + "/",
            headers: ["Content-Type": "application/x-www-form-urlencoded; charset=utf-8"],
            body: Array(body.utf8),
            signature: access.signature(for: "sns")
        )
    }

    func outcome(of response: HTTPResponse) -> DeliveryOutcome { DeliveryOutcome(aws: response) }

    /// At most 100 characters of printable ASCII, the first of them a letter, digit or punctuation mark.
    static func subject(_ title: String) -> String {
        String(title.unicodeScalars.prefix(100).map { $0.value > 0x1F && $0.value < 0x7F ? Character($0) : "?" })
    }
}
