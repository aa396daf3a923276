import CurlHTTP
import Foundation
import Telemetry

/// Slack's incoming webhook.
///
/// Sources: Slack's "Sending messages using incoming webhooks" and its reference of blocks.
struct SlackChannel: AlertChannel {
    let name: String
    let url: Sensitive<String>

    var shownAddress: String { AddressText.shown(url.value) }
    var identity: String { url.value }
    var tellsResolution: Bool { true }

    func request(for message: AlertMessage, at time: Date) throws -> HTTPRequest {
        HTTPRequest(
            method: .post,
            url: url.value,
            headers: ["Content-Type": "application/json"],
            body: try JSONBody.encode(SlackMessage(message))
        )
    }

    /// 404: the webhook or its channel was deleted; 410: the channel is archived.
    func outcome(of response: HTTPResponse) -> DeliveryOutcome {
        response.status == 404 || response.status == 410
            ? .gone(reason: response.shortAnswer) : DeliveryOutcome(response)
    }
}

/// A message in Slack's form.
struct SlackMessage: Encodable {
    struct Text: Encodable {
        var type = "mrkdwn"
        var text: String
    }

    struct Block: Encodable {
        var type: String
        var text: Text?
        var elements: [Text]?
    }

    /// Shown in notifications, and by programs that know no blocks.
    let text: String
    let blocks: [Block]

    /// Slack's limits, in characters.
    private static let longestText = 3000
    private static let longestSection = 3000
    private static let longestContext = 2000

    init(_ message: AlertMessage) {
        text = Self.escaped(message.title, limit: Self.longestText)
        let symbol =
            switch message.event {
            case .resolve: ":white_check_mark:"
            case .test: ":wave:"
            default: message.severity == .warning ? ":warning:" : ":rotating_light:"
            }
        var blocks = [
            Block(type: "section", text: Text(text: "\(symbol) *\(Self.escaped(message.title, limit: 1000))*")),
            Block(type: "section", text: Text(text: Self.escaped(message.text, limit: Self.longestSection))),
        ]
        let advice = message.advice.map { [Self.escaped($0, limit: Self.longestContext)] } ?? []
        let key = "`\(Self.escaped(message.shownKey.replacing("`", with: "'"), limit: 500))`"
        blocks.append(Block(type: "context", elements: (advice + [key]).map { Text(text: $0) }))
        self.blocks = blocks
    }

    /// The text with Slack's three control characters escaped, at most `limit` characters long, no escape cut.
    static func escaped(_ text: String, limit: Int) -> String {
        var result = ""
        var length = 0
        for character in text {
            let piece: String =
                switch character {
                case "&": "&amp;"
                case "<": "&lt;"
                case ">": "&gt;"
                default: String(character)
                }
            // Slack counts neither bytes nor graphemes.
            length += piece.unicodeScalars.count
            guard length < limit else { return result + "…" }
            result += piece
        }
        return result
    }
}
