import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

extension IntegrationTests {
    @Suite struct AlertTests {
        private struct Alert: Decodable {
            var jobID: String
            var userID: String
            var error: String

            private enum CodingKeys: String, CodingKey {
                case error
                case jobID = "job_id"
                case userID = "user_id"
            }
        }

        private static func alerts(to url: String) -> [String: String] {
            [
                "ENABLE_NOTIFICATIONS": "true", "NOTIFICATION_WEBHOOK_URL": url,
                "ALERT_ALLOW_PRIVATE_HOSTS": "127.0.0.1", "ALERT_GROUP_WAIT": "0",
            ]
        }

        @Test func aJobThatFailsForGoodIsReportedOnce() async throws {
            let webhook = try ScriptedServer()
            try await Installation.with(notes: 1) { installation in
                try await installation.addUser("ada")
                // One attempt fails and is made again: no news.
                try await installation.peers.setFaults(
                    #"{"peer":"extractor","operation":"auth","times":1,"fault":{"kind":"auth_failed"}}"#
                )
                let worker = try await installation.startWorker(
                    "worker",
                    Self.alerts(to: webhook.url)
                )
                try await installation.waitForJob(try await installation.insertJob("ada"))
                let id = try await installation.insertJob("nobody")
                let job = try await installation.waitForJob(id)
                try await eventually(within: .seconds(10), "the alert") { !webhook.bodies.isEmpty }
                // What is under way arrives before the end.
                try await worker.stop()
                #expect(webhook.bodies.count == 1)
                let body = Data(try #require(webhook.bodies.first).utf8)
                let alert = try JSONDecoder().decode(Alert.self, from: body)
                #expect(alert.jobID == id.description)
                #expect(alert.userID == "nobody")
                #expect(alert.error == job.errorMessage)
            }
            webhook.stop()
        }

        @Test func nothingIsSentUnlessAskedFor() async throws {
            let webhook = try ScriptedServer()
            try await Installation.with(notes: 1) { installation in
                let worker = try await installation.startWorker("worker", ["NOTIFICATION_WEBHOOK_URL": webhook.url])
                try await installation.waitForJob(try await installation.insertJob("nobody"))
                // On the way out everything that was to be sent would have been.
                try await worker.stop()
                #expect(webhook.bodies.isEmpty)
            }
            webhook.stop()
        }

        @Test func aWebhookThatIsNotThereHoldsNothingUp() async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.addUser("ada")
                let worker = try await installation.startWorker(
                    "worker",
                    Self.alerts(to: "http://127.0.0.1:9/hook")
                )
                try await installation.waitForJob(try await installation.insertJob("nobody"))
                let job = try await installation.waitForJob(
                    try await installation.insertJob("ada"),
                    within: .seconds(5)
                )
                #expect(job.status == .completed)
                try await worker.stop()
            }
        }

        /// The job fails in the rescue of a dead worker's job; nobody is left in the program that ran it.
        @Test func aWorkerKilledBetweenFailureAndDeliveryLosesNoAlert() async throws {
            let webhook = try ScriptedServer([.hang])
            defer { webhook.stop() }
            try await Installation.with(notes: 1) { installation in
                var settings = Self.alerts(to: webhook.url)
                settings["ALERT_TIMEOUT"] = "1s"
                let victim = try await installation.startWorker("victim", settings)
                try await installation.waitForJob(try await installation.insertJob("nobody"))
                // It has the message and gets no answer: killed before it can know anything.
                try await eventually(within: .seconds(10), "the first message") { webhook.requests.count == 1 }
                await victim.kill()
                try await installation.pool.execute("UPDATE sync_alert_deliveries SET lease_expires_at = now()")
                try await installation.startWorker("other", settings)
                try await eventually(within: .seconds(20), "the second message") { webhook.requests.count == 2 }
                let ids = Set(webhook.requests.compactMap { $0["webhook-id"] })
                #expect(ids.count == 1, "a message sent twice has one id")
                try await eventually(within: .seconds(10), "the record of it") {
                    try await installation.count(
                        "SELECT count(*) FROM sync_alert_deliveries WHERE state = 'delivered'"
                    ) == 1
                }
            }
        }

        /// A worker that dies has at most one message under way on a channel.
        @Test func workersKilledAgainAndAgainLoseNoAlert() async throws {
            let alerts = 60
            let webhook = try ScriptedServer()
            defer { webhook.stop() }
            try await Installation.with(notes: 1) { installation in
                var settings = Self.alerts(to: webhook.url)
                settings["ALERT_CHANNEL_LIMIT"] = "1000"
                settings["ALERT_KINDS_OFF"] = "user_failing"
                for number in 0..<alerts {
                    let id = try await installation.insertJob("user")
                    let error = "fault " + String(repeating: "x", count: number)
                    try await installation.pool.execute(
                        "UPDATE sync_jobs SET status = 'failed', error_message = \(error) WHERE job_id = \(id.rawValue)"
                    )
                }
                var kills = 0
                while try await undelivered(installation, of: alerts) > 0 {
                    let before = webhook.requests.count
                    let worker = try await installation.startWorker("worker-\(kills)", settings)
                    try await eventually(within: .seconds(20), "some messages") {
                        let left = try await undelivered(installation, of: alerts)
                        return webhook.requests.count > before + 4 || left == 0
                    }
                    await worker.kill()
                    kills += 1
                    try await installation.pool.execute("UPDATE sync_alert_deliveries SET lease_expires_at = now()")
                }
                let ids = webhook.requests.compactMap { $0["webhook-id"] }
                #expect(kills > 1, "too fast to be killed")
                #expect(Set(ids).count == alerts)
                #expect(ids.count <= alerts + kills, "\(ids.count) messages, \(kills) kills")
            }
        }

        private func undelivered(_ installation: Installation, of alerts: Int) async throws -> Int {
            try await alerts
                - installation.count("SELECT count(*) FROM sync_alert_deliveries WHERE state = 'delivered'")
        }

        @Test func jobsThatFailWhileNoWorkerSendsAlertsAreToldLater() async throws {
            let webhook = try ScriptedServer()
            defer { webhook.stop() }
            try await Installation.with(notes: 1) { installation in
                let quiet = try await installation.startWorker("quiet")
                try await installation.waitForJob(try await installation.insertJob("nobody"))
                await quiet.kill()
                #expect(webhook.requests.isEmpty)
                try await installation.startWorker("loud", Self.alerts(to: webhook.url))
                try await eventually(within: .seconds(20), "the alert") { webhook.requests.count == 1 }
            }
        }

        @Test func aPeerThatIsAwayIsToldAndThatItIsBack() async throws {
            let slack = try ScriptedServer()
            defer { slack.stop() }
            try await Installation.with(notes: 1) { installation in
                var settings = Self.alerts(to: slack.url)
                settings["NOTIFICATION_WEBHOOK_URL"] = nil
                settings["NOTIFICATION_SLACK_URL"] = slack.url + "/services/x"
                settings["ALERT_PEER_DOWN_AFTER"] = "0"
                settings["ALERT_CHECK_INTERVAL"] = "500ms"
                let writer = try ScriptedServer(Array(repeating: .reset, count: 4))
                defer { writer.stop() }
                settings["NOTION_WRITER_URL"] = writer.url
                try await installation.startWorker("worker", settings)
                try await eventually(within: .seconds(20), "the alert") {
                    slack.bodies.contains { $0.contains("Notion Writer has not answered") }
                }
                try await eventually(within: .seconds(20), "its end") {
                    slack.bodies.contains { $0.contains("Notion Writer answers again") }
                }
                #expect(slack.bodies.count == 2)
            }
        }

        @Test func aWorkerThatFindsTheDatabaseNotMigratedSaysSo() async throws {
            let webhook = try ScriptedServer()
            defer { webhook.stop() }
            try await Installation.with(notes: 1, migrations: Array(SyncSchema.migrations.prefix(6))) { installation in
                let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
                defer { _ = try? FileManager.default.removeItem(atPath: folder) }
                var settings = Self.alerts(to: webhook.url)
                settings["SYNC_STATE_DIR"] = folder
                for _ in 0..<2 {
                    let worker = try installation.launchWorker("worker", settings)
                    #expect(try await worker.waitForExit() == .code(78))
                }
                #expect(webhook.requests.count == 1)
                #expect(webhook.bodies.first?.contains("syncctl migrate") == true)
            }
        }

        /// A channel that the replaced service did not have is set up right, or the worker does not start.
        @Test func aChannelThatCannotWorkStopsTheWorker() async throws {
            try await Installation.with(notes: 1) { installation in
                var settings = Self.alerts(to: "https://alerts.example/webhook")
                settings["NOTIFICATION_SLACK_URL"] = "http://alerts.example/hidden-path"
                settings["NOTIFICATION_EMAIL_TO"] = "ops@example.org"
                let worker = try installation.launchWorker("worker", settings)
                #expect(try await worker.waitForExit() == .code(78))
                for name in [
                    "NOTIFICATION_SLACK_URL", "ALERT_ALLOW_PRIVATE_HOSTS", "NOTIFICATION_EMAIL_FROM", "AWS_REGION",
                ] {
                    #expect(worker.transcript.contains(name), "\(name)")
                }
                #expect(!worker.transcript.contains("hidden-path"))
            }
        }
    }
}
