import CurlHTTP
import Foundation
import Settings
import Telemetry
import Testing

@testable import Alerts

/// What each channel makes of a message.
@Suite("Channels")
struct ChannelTests {
    private let time = Date(timeIntervalSince1970: 1_790_000_000.25)

    private func message(
        _ event: AlertMessage.Event = .trigger,
        _ kind: AlertKind? = .jobFailed,
        count: Int = 1,
        error: String = "API token is invalid"
    ) -> AlertMessage {
        AlertMessage(
            id: UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)),
            event: event,
            kind: kind,
            key: "job_failed:0123456789ab",
            count: count,
            jobID: UUID(uuid: (16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)),
            userID: "anna@example.org",
            users: ["anna@example.org"],
            error: error,
            firstAt: time,
            lastAt: time,
            source: "staging"
        )
    }

    private func json(_ request: HTTPRequest) throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: Data(request.body ?? [])) as? [String: Any] ?? [:]
    }

    private func webhook(_ secrets: [String] = []) -> WebhookChannel {
        WebhookChannel(name: "webhook", url: Sensitive("https://hooks.example/x"), secrets: Sensitive(secrets))
    }

    // MARK: Webhook

    @Test("A webhook gets the fields of the replaced service and a few more")
    func webhookFields() throws {
        let request = try webhook().request(for: message(), at: time)
        let job = "100f0e0d-0c0b-0a09-0807-060504030201"
        let advice =
            "See syncctl jobs --status failed; fix what the error says, then syncctl retry JOB. After an outage: syncctl retry "
            + "--failed-since 2h."
        let text = "Sync job \(job) of user anna@example.org failed: API token is invalid. \(advice)"
        let expected: [String: Any] = [
            "text": text, "advice": advice, "job_id": job, "user_id": "anna@example.org",
            "error": "API token is invalid",
            "kind": "job_failed", "severity": "error", "occurred_at": "2026-09-21T14:13:20.250Z", "count": 1,
        ]
        #expect(try json(request) as NSDictionary == expected as NSDictionary)
        #expect(request.headers["Content-Type"] == "application/json")
        #expect(request.headers["webhook-signature"] == nil)
    }

    @Test(
        "Further users are told of only where the count is of users",
        arguments: [
            (AlertKind.unknownCreatesHeld, false), (.jobFailed, false), (.userNotSynced, true), (.notesFailing, true),
        ]
    )
    func furtherUsers(kind: AlertKind, areMore: Bool) {
        #expect(message(.trigger, kind, count: 3).text.contains("(anna@example.org, …)") == areMore)
        #expect(message(.trigger, kind, count: 3).text.contains("(anna@example.org)") == !areMore)
    }

    /// The example of the specification's own text.
    @Test("A signed webhook is signed as the specification says")
    func webhookSignature() throws {
        let body = Array(#"{"test": 2432232314}"#.utf8)
        let signature = try WebhookSignature(secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
            .header(id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: body)
        #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        let request = try webhook(["whsec_AAAA", "whsec_AAEC"]).request(for: message(), at: time)
        #expect(request.headers["webhook-id"] == "msg_01020304-0506-0708-090a-0b0c0d0e0f10")
        #expect(request.headers["webhook-timestamp"] == "1790000000")
        #expect(request.headers["webhook-signature"]?.split(separator: " ").count == 2)
    }

    // MARK: Slack

    @Test("Slack's control characters are escaped")
    func slackEscaping() throws {
        let channel = SlackChannel(name: "slack", url: Sensitive("https://hooks.slack.com/x"))
        let request = try channel.request(for: message(error: "<!channel> & <@U1>"), at: time)
        let text = String(decoding: request.body ?? [], as: UTF8.self)
        #expect(text.contains("&lt;!channel&gt; &amp; &lt;@U1&gt;"))
        #expect(!text.contains("<"))
    }

    @Test("Slack's limits hold, and no escape is cut", arguments: [0, 1, 2, 3, 4])
    func slackLimits(offset: Int) throws {
        let long =
            String(repeating: "a", count: offset) + String(repeating: "&<\u{1F469}\u{200D}\u{1F4BB}", count: 3000)
        for limit in [50, 3000] {
            let escaped = SlackMessage.escaped(long, limit: limit)
            #expect(escaped.unicodeScalars.count <= limit)
            #expect(escaped.replacing("&amp;", with: "").replacing("&lt;", with: "").contains("&") == false)
        }
        let message = SlackMessage(message(error: long))
        for block in message.blocks {
            #expect((block.text?.text.unicodeScalars.count ?? 0) <= 3000)
            #expect((block.elements ?? []).allSatisfy { $0.text.unicodeScalars.count <= 3000 })
        }
    }

    // MARK: PagerDuty

    @Test("PagerDuty gets a trigger and a resolve with one key")
    func pagerDuty() throws {
        let channel = PagerDutyChannel(
            name: "pagerduty",
            routingKey: Sensitive("KEY"),
            url: "https://events.pagerduty.com"
        )
        let request = try channel.request(for: message(.repeat, .peerDown, count: 3), at: time)
        #expect(request.url == "https://events.pagerduty.com/v2/enqueue")
        let trigger = try json(request)
        let resolve = try json(try channel.request(for: message(.resolve, .peerDown), at: time))
        #expect(trigger["event_action"] as? String == "trigger" && resolve["event_action"] as? String == "resolve")
        #expect(trigger["dedup_key"] as? String == "staging:job_failed:0123456789ab")
        #expect(trigger["dedup_key"] as? String == resolve["dedup_key"] as? String)
        #expect(resolve["payload"] == nil)
        let payload = try #require(trigger["payload"] as? [String: Any])
        #expect(payload["severity"] as? String == "critical" && payload["source"] as? String == "staging")
    }

    @Test("PagerDuty's limits of length hold, and long keys stay apart")
    func pagerDutyLimits() throws {
        var long = message(error: String(repeating: "ü", count: 2000))
        long.userID = String(repeating: "é", count: 255)
        let channel = PagerDutyChannel(name: "p", routingKey: Sensitive("KEY"), url: "https://events.pagerduty.com")
        let payload = try #require(try json(try channel.request(for: long, at: time))["payload"] as? [String: Any])
        #expect((payload["summary"] as? String ?? "").utf8.count <= 1024)
        var keys: Set<String> = []
        for suffix in ["a", "b"] {
            long.key = "user_failing:" + String(repeating: "é", count: 254) + suffix
            let key = PagerDutyChannel.deduplicationKey(long)
            #expect(key.utf8.count <= 255)
            keys.insert(key)
        }
        #expect(keys.count == 2)
    }

    // MARK: Amazon Web Services

    private func access(region: String = "eu-central-1", endpoint: String? = nil) -> AWSAccess {
        AWSAccess(region: region, endpoint: endpoint, accessKeyID: "AKID", secretAccessKey: Sensitive("s"))
    }

    @Test("A topic gets a form, with a subject it can take")
    func topic() throws {
        let channel = SNSChannel(name: "sns", topicARN: "arn:aws:sns:eu-central-1:1:t.fifo", access: access())
        let request = try channel.request(for: message(error: "a+b & c=ü"), at: time)
        #expect(request.url == "https://sns.eu-central-1.amazonaws.com/")
        let body = String(decoding: request.body ?? [], as: UTF8.self)
        #expect(
            body.hasPrefix("Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-central-1%3A1%3At.fifo&")
        )
        #expect(body.contains("a%2Bb%20%26%20c%3D%C3%BC"))
        #expect(body.contains("MessageDeduplicationId=msg_01020304-0506-0708-090a-0b0c0d0e0f10"))
        let subject = SNSChannel.subject("[größe\n" + String(repeating: "x", count: 200))
        #expect(subject.count == 100 && subject.hasPrefix("[gr??e?x"))
    }

    @Test("Regions have their own addresses, unless another is given")
    func endpoints() {
        #expect(access(region: "cn-north-1").url(of: "sns") == "https://sns.cn-north-1.amazonaws.com.cn")
        #expect(access(endpoint: "https://vpce.example").url(of: "email") == "https://vpce.example")
    }

    @Test("A mail has a subject and says what to do")
    func mail() throws {
        let channel = EmailChannel(name: "email", to: "ops@example.org", from: "sync@example.org", access: access())
        let mail = try json(try channel.request(for: message(count: 3), at: time))
        let simple = try #require((mail["Content"] as? [String: Any])?["Simple"] as? [String: Any])
        let subject = try #require((simple["Subject"] as? [String: Any])?["Data"] as? String)
        #expect(subject == "[staging] error: 3 sync jobs failed")
        let body = try #require(((simple["Body"] as? [String: Any])?["Text"] as? [String: Any])?["Data"] as? String)
        #expect(body.contains("syncctl jobs --status failed"))
    }

    @Test("Throttling is worth another try whatever its status")
    func throttling() {
        let body = Array("<Error><Code>Throttling</Code></Error>".utf8)
        guard case .retry = DeliveryOutcome(aws: HTTPResponse(status: 400, body: body)) else {
            Issue.record("not tried again")
            return
        }
    }

    // MARK: All

    @Test("Every kind and event has words, and none has a secret")
    func words() {
        for kind in AlertKind.allCases {
            for event in [AlertMessage.Event.trigger, .repeat, .resolve] {
                for count in [1, 7] {
                    let message = message(event, kind, count: count, error: "with Bearer abcdefghijklmnop0123456789")
                    #expect(!message.text.isEmpty && !message.title.isEmpty)
                    #expect(!message.text.contains("abcdefghijklmnop"), "\(message.text)")
                    #expect((message.advice == nil) == (event == .resolve))
                }
            }
        }
    }

    @Test("Nothing that prints a channel shows its secrets")
    func reflection() {
        let configurations: [ChannelConfiguration] = [
            .webhook(url: Sensitive("https://x/hidden"), secrets: Sensitive(["hidden"])),
            .slack(url: Sensitive("https://x/hidden")), .pagerDuty(routingKey: Sensitive("hidden"), url: "https://x"),
            .sns(
                topicARN: "arn",
                access: AWSAccess(region: "r", accessKeyID: "id", secretAccessKey: Sensitive("hidden"))
            ),
        ]
        var dumped = ""
        dump(configurations, to: &dumped)
        dump(ChannelList.make(configurations).map { "\($0)" }, to: &dumped)
        #expect(!dumped.contains("hidden"))
        #expect(
            ChannelList.make(configurations + configurations).map(\.name).suffix(4) == [
                "webhook-2", "slack-2", "pagerduty-2", "sns-2",
            ]
        )
    }
}

@Suite("Kinds")
struct KindTests {
    @Test("The words of the settings are the kinds there are")
    func words() {
        #expect(Set(AlertKind.allCases.map(\.rawValue)) == Set(AlertWord.allCases.map(\.rawValue)))
    }
}
