import Foundation
import JobQueue
import Postgres
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
    }
}
