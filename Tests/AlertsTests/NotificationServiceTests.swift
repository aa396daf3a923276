import Alerts
import CurlHTTP
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct NotificationServiceTests {
    private let alert = JobFailureAlert(jobID: UUID(), userID: "alice@example.com", error: "API token is invalid")
    private let log = LogLines()

    private func makeService(
        url: String?,
        isEnabled: Bool = true,
        timeout: Duration = .seconds(10),
        queueLimit: Int = 100
    ) -> NotificationService {
        NotificationService(
            configuration: NotificationConfiguration(
                isEnabled: isEnabled,
                webhookURL: url,
                timeout: timeout,
                backoffBase: .milliseconds(1),
                backoffLimit: .milliseconds(5),
                queueLimit: queueLimit
            ),
            http: HTTPClient(configuration: HTTPClientConfiguration(usesProxyFromEnvironment: false)),
            logger: Logger(label: "alerts") { [log] _ in LineLogHandler(lines: log) }
        )
    }

    /// Queues the alerts, then runs the service to the end of a graceful shutdown.
    private func deliver(_ alerts: [JobFailureAlert], with service: NotificationService) async throws {
        for alert in alerts { await service.jobFailed(alert) }
        let group = ServiceGroup(
            services: [service],
            logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() }
        )
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    @Test func alertIsPosted() async throws {
        let webhook = try WebhookServer(statuses: [200])
        defer { webhook.stop() }
        try await deliver([alert], with: makeService(url: webhook.url))
        let request = try #require(webhook.requests.first)
        #expect(webhook.requests.count == 1)
        #expect(request.hasPrefix("POST /services/T0/secret-path HTTP/1.1\r\n"))
        #expect(request.contains("Content-Type: application/json\r\n"))
        let body = try #require(request.range(of: "\r\n\r\n")).upperBound
        let json = try JSONDecoder().decode([String: String].self, from: Data(request[body...].utf8))
        let identifier = alert.jobID.uuidString.lowercased()
        #expect(
            json == [
                "text": "Sync job \(identifier) of user alice@example.com failed: API token is invalid",
                "job_id": identifier,
                "user_id": "alice@example.com",
                "error": "API token is invalid",
            ]
        )
    }

    @Test func passingFaultIsTriedAgain() async throws {
        let webhook = try WebhookServer(statuses: [500, 429, 204])
        defer { webhook.stop() }
        try await deliver([alert], with: makeService(url: webhook.url))
        #expect(webhook.requests.count == 3)
        #expect(log.lines.filter { $0.contains("trying again") }.count == 2)
    }

    @Test func threeTriesAreEnough() async throws {
        let webhook = try WebhookServer(statuses: [500, 500, 500, 500])
        defer { webhook.stop() }
        try await deliver([alert], with: makeService(url: webhook.url))
        #expect(webhook.requests.count == 3)
        let last = try #require(log.lines.last)
        #expect(last.hasPrefix("error alert not delivered"))
        #expect(last.contains("http://127.0.0.1"))
        #expect(!log.lines.joined().contains("secret"))
    }

    @Test func refusalIsNotTriedAgain() async throws {
        let webhook = try WebhookServer(statuses: [404])
        defer { webhook.stop() }
        try await deliver([alert], with: makeService(url: webhook.url))
        #expect(webhook.requests.count == 1)
    }

    @Test(arguments: ["http://127.0.0.1:1/secret?secret", "http://user:secret@127.0.0.1:1", "nonsense-secret"])
    func unreachableWebhookIsLoggedWithoutItsSecret(url: String) async throws {
        try await deliver([alert], with: makeService(url: url))
        #expect(log.lines.last?.hasPrefix("error alert not delivered") == true)
        #expect(!log.lines.joined().contains("secret"), "\(log.lines)")
    }

    @Test func silentWebhookDoesNotHoldTheOthers() async throws {
        let webhook = try WebhookServer(statuses: [0, 0, 0, 200])
        defer { webhook.stop() }
        try await deliver([alert, alert], with: makeService(url: webhook.url, timeout: .milliseconds(50)))
        #expect(webhook.requests.count == 4)
    }

    @Test func queueIsBounded() async throws {
        let webhook = try WebhookServer(statuses: [200])
        defer { webhook.stop() }
        let alerts = [JobFailureAlert](repeating: alert, count: 5)
        try await deliver(alerts, with: makeService(url: webhook.url, queueLimit: 2))
        #expect(webhook.requests.count == 2)
        #expect(log.lines.filter { $0.contains("the queue is full") }.count == 3)
    }

    @Test func nothingIsSentWhenAlertsAreOff() async throws {
        let webhook = try WebhookServer(statuses: [200])
        defer { webhook.stop() }
        try await deliver([alert], with: makeService(url: webhook.url, isEnabled: false))
        #expect(webhook.requests.isEmpty)
        #expect(log.lines.isEmpty)
        try await deliver([alert], with: makeService(url: nil))
        #expect(log.lines == ["warning alerts are enabled, but there is no webhook to send them to webhook=none"])
    }

    @Test func configurationDoesNotShowTheAddress() {
        let configuration = NotificationConfiguration(isEnabled: true, webhookURL: "https://hooks.example/secret")
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!"\(configuration)\(String(reflecting: configuration))\(dumped)".contains("secret"))
        #expect("\(configuration)".contains("https://hooks.example"))
    }
}
