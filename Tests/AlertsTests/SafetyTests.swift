import CurlHTTP
import Foundation
import Telemetry
import TestSupport
import Testing

@testable import Alerts

/// Where messages may go, and what may be said of it.
@Suite("Safety")
struct SafetyTests {
    private func sender(allowing hosts: Set<String> = [], timeout: Duration = .seconds(5)) -> AlertSender {
        var configuration = NotificationConfiguration(isEnabled: true, channels: [])
        configuration.allowedPrivateHosts = hosts
        configuration.timeout = timeout
        return AlertSender(
            configuration: configuration,
            http: HTTPClientConfiguration(usesProxyFromEnvironment: false)
        )
    }

    private func send(
        _ url: String,
        allowing hosts: Set<String> = [],
        timeout: Duration = .seconds(5)
    ) async -> DeliveryOutcome {
        let sender = sender(allowing: hosts, timeout: timeout)
        defer { sender.shutdown() }
        let channel = WebhookChannel(name: "webhook", url: Sensitive(url), secrets: Sensitive([]))
        return await sender.send(.test(source: "test"), to: channel)
    }

    @Test(
        "A host that turns out to be private is refused before anything is sent",
        arguments: [
            "https://localhost", "https://127.0.0.1", "https://127.1", "https://2130706433", "https://[::1]",
            "https://[::ffff:127.0.0.1]", "https://0.0.0.0",
        ]
    )
    func privateAddress(base: String) async throws {
        let server = try ScriptedServer()
        defer { server.stop() }
        let outcome = await send("\(base):\(server.port)/hidden")
        guard case .refused(let reason) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(reason.contains("ALERT_ALLOW_PRIVATE_HOSTS"), "\(reason)")
        #expect(!reason.contains("hidden"))
    }

    @Test("AWS is reached by the same rules as everything else")
    func amazon() async throws {
        let server = try ScriptedServer()
        defer { server.stop() }
        let access = AWSAccess(
            region: "eu-central-1",
            endpoint: "https://127.0.0.1:\(server.port)",
            accessKeyID: "id",
            secretAccessKey: Sensitive("key")
        )
        let channels: [any AlertChannel] = [
            SNSChannel(name: "sns", topicARN: "arn:aws:sns:eu-central-1:123456789012:alerts", access: access),
            EmailChannel(name: "email", to: "a@example.org", from: "b@example.org", access: access),
        ]
        for channel in channels {
            let sender = sender()
            defer { sender.shutdown() }
            let outcome = await sender.send(.test(source: "test"), to: channel)
            guard case .refused(let reason) = outcome else {
                Issue.record("\(channel.name): \(outcome)")
                continue
            }
            #expect(reason.contains("ALERT_ALLOW_PRIVATE_HOSTS"), "\(reason)")
        }
    }

    @Test("People see controls that would turn their text around")
    func bidirectional() {
        var message = AlertMessage.test(source: "test")
        (message.event, message.kind, message.key) = (.trigger, .userFailing, "user_failing:a\u{202E}b")
        (message.userID, message.users, message.error) = (
            "a\u{202E}b", ["c\u{2066}d\u{9B}31m"], "e\u{61C}f\u{85}g\u{2028}h"
        )
        let shown = [message.text, message.title, message.shownUser ?? "", message.shownUsers, message.shownKey]
        for text in shown {
            let hidden = text.unicodeScalars.contains {
                $0.properties.isBidiControl || (0x80...0x9F).contains($0.value) || (0x2028...0x2029).contains($0.value)
            }
            #expect(!hidden, "\(text)")
        }
        #expect(message.text.contains("a\\u{202e}b") && message.text.contains("e\\u{61c}f"))
    }

    @Test("Plain HTTP is refused, unless the host is named")
    func plainHTTP() async throws {
        let server = try ScriptedServer()
        defer { server.stop() }
        guard case .refused = await send(server.url) else {
            Issue.record("sent")
            return
        }
        #expect(server.requests.isEmpty)
        #expect(await send(server.url, allowing: ["127.0.0.1"]) == .delivered(answer: "status 200"))
        guard case .refused = await send(server.url, allowing: ["localhost"]) else {
            Issue.record("allowed by another name")
            return
        }
    }

    @Test("A redirect is not followed")
    func redirect() async throws {
        let other = try ScriptedServer()
        let server = try ScriptedServer([.status(302, headers: "Location: \(other.url)/\r\n")])
        defer { for server in [server, other] { server.stop() } }
        guard case .refused = await send(server.url, allowing: ["127.0.0.1"]) else {
            Issue.record("followed")
            return
        }
        #expect(other.requests.isEmpty)
    }

    @Test("An answer without end is not read to its end, and the message not sent again")
    func boundedAnswer() async throws {
        let server = try ScriptedServer([.status(200, body: String(repeating: "x", count: 1 << 20))])
        defer { server.stop() }
        guard case .refused(let reason) = await send(server.url, allowing: ["127.0.0.1"]) else {
            Issue.record("taken")
            return
        }
        #expect(reason.contains("larger than 65536 bytes"))
    }

    @Test("What an answer echoes is shortened and freed of secrets")
    func echo() async throws {
        let body = "no: Bearer abcdefghijklmnop0123456789 " + String(repeating: "y", count: 5000)
        let server = try ScriptedServer([.status(400, body: body)])
        defer { server.stop() }
        guard case .refused(let reason) = await send(server.url, allowing: ["127.0.0.1"]) else {
            Issue.record("taken")
            return
        }
        #expect(reason.count < 300 && !reason.contains("abcdefghijklmnop"), "\(reason)")
    }

    @Test("No answer is worth another try")
    func silence() async throws {
        let server = try ScriptedServer([.hang])
        defer { server.stop() }
        guard case .retry = await send(server.url, allowing: ["127.0.0.1"], timeout: .milliseconds(100)) else {
            Issue.record("not tried again")
            return
        }
    }
}
