import CurlHTTP
import Foundation
import Postgres
import Telemetry
import TestSupport
import Testing

@testable import Alerts

/// A Python with standardwebhooks, moto and botocore, which `deploy/test --full` installs.
private let python = ProcessInfo.processInfo.environment["SYNC_TEST_PYTHON"].flatMap { $0.isEmpty ? nil : $0 }

/// Channels against server processes that speak their protocols.
@Suite(
    "With other people's servers",
    .migrated,
    .enabled(if: python != nil, "deploy/test --full"),
    .timeLimit(.minutes(3))
)
struct FullTests {
    private static let secret = "whsec_" + Data("a secret of more than twenty-four".utf8).base64EncodedString()

    private static func access(_ url: String) -> AWSAccess {
        AWSAccess(
            region: "eu-central-1",
            endpoint: url,
            accessKeyID: "AKIDEXAMPLE",
            secretAccessKey: Sensitive("wJalr/XUtn+FEMI:K7MDENG"),
            sessionToken: Sensitive("FwoGZXIvYXdzEA==/+token")
        )
    }

    private static func channel(_ kind: DeliveryTests.Kind, _ url: String, topic: String) -> ChannelConfiguration {
        switch kind {
        case .webhook: .webhook(url: Sensitive(url + "/webhook"), secrets: Sensitive(["whsec_AAAA", secret]))
        case .slack: .slack(url: Sensitive(url + "/services/T/B/x"))
        case .pagerDuty: .pagerDuty(routingKey: Sensitive("R0UTINGKEY"), url: url)
        case .sns: .sns(topicARN: topic, access: access(url))
        case .email: .email(to: "ops@example.org", from: "sync@example.org", access: access(url))
        }
    }

    private func start(_ script: String, _ arguments: [String] = []) async throws -> (ProgramRun, url: String) {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scripts/\(script)").path
        let run = try ProgramRun(
            executable: try #require(python),
            [path] + arguments,
            environment: ["no_proxy": "127.0.0.1"]
        )
        let line = try await run.waitForLine(containing: "port ", within: .seconds(60))
        return (run, "http://127.0.0.1:\(line.dropFirst("port ".count))")
    }

    // MARK: Each with its protocol's rules

    private struct Received: Decodable {
        var kind: String
        var id: String?
        var fault: String?
    }

    private func received(_ url: String) async throws -> [Received] {
        let response = try await HTTPClient().execute(HTTPRequest(url: url + "/received"))
        return try JSONDecoder().decode([Received].self, from: Data(response.body))
    }

    @Test("Every try is as its service wants it, and the same message", arguments: DeliveryTests.Kind.allCases)
    func protocols(kind: DeliveryTests.Kind) async throws {
        let access = Self.access("")
        let (server, url) = try await start(
            "receivers.py",
            [Self.secret, access.accessKeyID, access.secretAccessKey.value, access.sessionToken?.value ?? ""]
        )
        var fixture = try AlertFixture()
        fixture.configuration.channels = [Self.channel(kind, url, topic: "arn:aws:sns:eu-central-1:123456789012:t")]
        fixture.configuration.timeout = .milliseconds(1000)
        let plan = #"[500, 429, "hang", "reset", 503]"#
        _ = try await HTTPClient().execute(HTTPRequest(method: .put, url: url + "/plan", body: Array(plan.utf8)))
        // What a form, a signature or Slack could stumble over.
        try await fixture.failJob("änna+b@example.org", "a & b <c> \"d\" 'e' + 100 % ü \u{1F469}\u{200D}\u{1F4BB}\n=~*")
        try await fixture.gather()
        try await fixture.deliverAll()
        let tries = try await received(url)
        #expect(tries.count == 6)
        #expect(tries.allSatisfy { $0.fault == nil }, "\(tries.compactMap(\.fault))")
        #expect(Set(tries.map(\.id)).count == 1)
        #expect(try await fixture.count("SELECT count(*) FROM sync_alert_deliveries WHERE state = 'delivered'") == 1)

        _ = try await HTTPClient().execute(HTTPRequest(method: .put, url: url + "/plan", body: Array("[410]".utf8)))
        try await fixture.failJob("bob", "another one")
        try await fixture.gather()
        try await fixture.deliverAll()
        #expect(try await received(url).count == 1)
        #expect(try await fixture.count("SELECT count(*) FROM sync_alert_deliveries WHERE state = 'failed'") == 1)
        await server.kill()
    }

    @Test("A signature with a wrong key is found to be wrong")
    func wrongKey() async throws {
        let (server, url) = try await start("receivers.py", [Self.secret, "AKIDEXAMPLE", "another", "token"])
        var fixture = try AlertFixture()
        fixture.configuration.channels = [Self.channel(.email, url, topic: "")]
        try await fixture.failJob("anna")
        try await fixture.gather()
        try await fixture.deliverAll()
        #expect(try await received(url).first?.fault != nil)
        await server.kill()
    }

    // MARK: Amazon's services

    private struct Held: Decodable {
        struct Note: Decodable {
            var message: String
            var subject: String
        }
        struct Mail: Decodable {
            var to: [String]
            var subject: String
            var body: String
        }
        var sns: [Note]
        var ses: [Mail]
    }

    @Test("SNS and SES hold the message that was sent")
    func moto() async throws {
        let (server, url) = try await start("moto_scene.py")
        let topic = try await server.waitForLine(containing: "topic ").dropFirst("topic ".count)
        var fixture = try AlertFixture()
        fixture.configuration.source = "größe"
        fixture.configuration.channels = [
            Self.channel(.sns, url, topic: String(topic)), Self.channel(.email, url, topic: ""),
        ]
        try await fixture.failJob("anna@example.org", "API token is invalid & more = 1 + 1")
        try await fixture.gather()
        try await fixture.deliverAll()
        try server.write("what is there?\n")
        let line = try await server.waitForLine(containing: "held ").dropFirst("held ".count)
        let held = try JSONDecoder().decode(Held.self, from: Data(line.utf8))
        let note = try #require(held.sns.first)
        #expect(held.sns.count == 1 && note.message.contains("failed: API token is invalid & more = 1 + 1"))
        #expect(note.subject == "[gr??e] error: a sync job failed")
        let mail = try #require(held.ses.first)
        #expect(held.ses.count == 1 && mail.to == ["ops@example.org"])
        #expect(mail.subject == "[größe] error: a sync job failed" && mail.body.contains("User: anna@example.org"))
        server.closeInput()
        await server.kill()
    }
}
