import Fernet
import Foundation
import Postgres
import SyncSchema
import TestSupport
import Testing

extension IntegrationTests {
    /// No secret of a run, and no text of a note, in any line of a log or any row of a table.
    @Suite struct SecrecyTests {
        private static let googleToken = "aas_et/GOOGLE-TOKEN-kept-secret-0001"
        private static let notionToken = "ntn_NOTIONTOKENkeptsecret0002"
        private static let password = "DATABASE-password-0003"
        private static let webhookPath = "WEBHOOK-path-0004"
        private static let title = "A title TITLE-kept-private-0005"
        private static let text = "A diary TEXT-kept-private-0006, line by line"

        @Test func logsAndTablesHoldNoSecret() async throws {
            let cluster = try await PrivateCluster.start(PrivateCluster.Options(password: Self.password))
            let webhook = try ScriptedServer()
            try await Installation.with(notes: 10, cluster: cluster) { installation in
                let worker = try await run(installation, webhook)
                try await worker.stop()
                for line in worker.standardOutput { expectJSON(line) }
                #expect(worker.standardOutput.count > 30)
                #expect(worker.standardError.isEmpty)
                let written = try await everyText(installation)
                #expect(written.count > 50)
                let posts = webhook.bodies
                #expect(!posts.isEmpty)
                let logs = worker.standardOutput + worker.standardError
                for secret in secrets(installation) {
                    #expect(!logs.contains { $0.contains(secret) }, "\(secret) in the log")
                    #expect(!written.contains { $0.contains(secret) }, "\(secret) in a table")
                    #expect(!posts.contains { $0.contains(secret) }, "\(secret) in an alert")
                }
                let arguments = try String(contentsOfFile: "/proc/self/cmdline", encoding: .utf8)
                #expect(!arguments.contains(Self.password))
            }
            webhook.stop()
            try await cluster.remove()
        }

        /// A run in which much goes wrong, and whose peers repeat what they were told.
        private func run(_ installation: Installation, _ webhook: ScriptedServer) async throws -> ProgramRun {
            let echo = "\(Self.notionToken) \(Self.googleToken) \(Self.title) \(Self.text)"
            for user in ["ada", "bob", "eve"] {
                try await installation.addUser(user, googleToken: Self.googleToken, notionToken: Self.notionToken)
            }
            try await installation.peers.createNote(title: Self.title, text: Self.text)
            try await installation.peers.setFaults(
                """
                {"peer":"extractor","operation":"auth","times":1,"match":{"username":"bob"},
                 "fault":{"kind":"auth_failed","error":"no \(Self.googleToken)"}},
                {"peer":"extractor","operation":"notes","times":1,"match":{"username":"bob"},
                 "fault":{"kind":"message","message":"\(Self.googleToken)"}},
                {"peer":"writer","match":{"database_id":"db-ada","title_contains":"TITLE-kept"},"times":1,
                 "fault":{"kind":"message","message":"internal: \(echo)"}},
                {"peer":"writer","match":{"database_id":"db-bob","title_contains":"TITLE-kept"},
                 "fault":{"kind":"message","message":"body failed validation: \(echo)"}},
                {"peer":"writer","match":{"database_id":"db-eve","title_contains":"TITLE-kept"},
                 "fault":{"kind":"message","message":"API token is invalid: \(echo)"}},
                {"peer":"writer","operation":"create","times":2,"match":{"database_id":"db-ada"},
                 "fault":{"kind":"malformed_json"}}
                """
            )
            let worker = try await installation.startWorker(
                "worker",
                [
                    "LOG_FORMAT": "json", "LOG_LEVEL": "trace", "ENABLE_NOTIFICATIONS": "true",
                    "NOTIFICATION_WEBHOOK_URL": webhook.url + "/" + Self.webhookPath,
                    "ALERT_ALLOW_PRIVATE_HOSTS": "127.0.0.1", "ALERT_GROUP_WAIT": "0",
                ]
            )
            for user in ["ada", "bob", "eve", "nobody"] { try await installation.insertJob(user) }
            try await installation.waitForAllJobs()
            let statuses = try await installation.statuses()
            #expect(statuses == ["completed": 2, "failed": 2])
            #expect(try await installation.count("SELECT count(*) FROM sync_failed_notes") > 0)
            try await eventually(within: .seconds(10), "both alerts") { webhook.bodies.count >= 2 }
            return worker
        }

        private func secrets(_ installation: Installation) -> [String] {
            [
                Self.googleToken, "GOOGLE-TOKEN-kept-secret", Self.notionToken, "NOTIONTOKENkeptsecret", Self.password,
                Self.webhookPath, installation.key.base64, Self.title, "TEXT-kept-private",
            ]
        }

        private func expectJSON(_ line: String) {
            do {
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                #expect(object?["timestamp"] is String && object?["level"] is String && object?["message"] is String)
            } catch {
                Issue.record("not JSON: \(line)")
            }
        }

        /// Every row of every table but `credentials`, as text.
        private func everyText(_ installation: Installation) async throws -> [String] {
            let tables = try await installation.pool.query(
                "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'credentials'"
            )
            var texts: [String] = []
            for table in tables {
                let name: String = try table.decode("name")
                let rows = try await installation.pool.query("SELECT t::text AS row FROM \(identifier: name) AS t")
                texts += try rows.map { try $0.decode("row") }
            }
            return texts
        }
    }
}
