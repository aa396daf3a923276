import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Somebody with the rights of the admin interface copies one user's credentials into another's row.
    @Suite struct ForeignCredentialsTests {
        @Test func whereABindingIsRequiredNobodysNotesGoToAnother() async throws {
            try await withRoles { installation in
                for user in ["anna", "bob"] { try await installation.storeCredentialsAsOperator(of: user) }
                let worker = try await startWorker(installation, ["SYNC_CREDENTIALS_BINDING": "require"])
                #expect(try await sync("anna", installation).status == .completed)
                try await attack(installation, as: "sync_admin", "")
                let failed = try await sync("anna", installation)
                #expect(failed.status == .failed)
                #expect(failed.errorMessage?.contains("syncctl credentials bind anna") == true, "\(failed)")
                // Somebody who may write more copies the binding too.
                try await attack(installation, as: "postgres", ", binding = b.binding")
                #expect(try await sync("anna", installation).status == .failed)
                // Nothing of anna's went there, and bob is not concerned.
                #expect(try await installation.peers.pages(of: "bob").isEmpty)
                #expect(try await sync("bob", installation).status == .completed)
                try await installation.storeCredentialsAsOperator(of: "anna")
                #expect(try await sync("anna", installation).status == .completed)
                let transcript = worker.transcript
                #expect(!transcript.contains("42501"), "\(transcript)")
            }
        }

        @Test func whereNoneIsRequiredTheSyncRunsAndPeopleAreTold() async throws {
            try await withRoles { installation in
                for user in ["anna", "bob"] { try await installation.storeCredentialsAsOperator(of: user) }
                // As the replaced service left it.
                try await installation.pool.execute(
                    """
                    INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
                    SELECT 'cyd', google_oauth_token, notion_api_token, 'db-cyd' FROM credentials WHERE user_id = 'bob'
                    """
                )
                try await startWorker(installation, [:])
                for user in ["anna", "bob", "cyd"] {
                    #expect(try await sync(user, installation).status == .completed)
                }
                #expect(try await alerts(installation).isEmpty)
                let admin = try await installation.database.connect(as: "sync_admin")
                try await admin.execute(
                    "UPDATE credentials SET notion_database_id = notion_database_id || ' ' WHERE user_id = 'anna'"
                )
                await admin.close()
                #expect(try await sync("anna", installation).status == .completed)
                try await eventually(within: .seconds(20), "the alert") {
                    try await alerts(installation) == ["credentials_changed_outside:anna"]
                }
                let warned = try await installation.count(
                    "SELECT count(*) FROM sync_logs WHERE level = 'WARNING' AND message LIKE '%syncctl credentials bind anna'"
                )
                #expect(warned == 1)
                // What a refused token's owner is told to run is what syncctl takes for such a row.
                try await installation.peers.revoke(token: "ntn_token")
                try await installation.control("clear-state", "anna", "--yes")
                let refused = try await sync("anna", installation)
                #expect(
                    refused.errorMessage?.contains("syncctl credentials set anna --database-id ID") == true,
                    "\(refused)"
                )
                try await installation.peers.restore(token: "ntn_token")
                // It is over when they are stored as they should be, and a job has found nothing amiss.
                try await installation.storeCredentialsAsOperator(of: "anna")
                #expect(try await sync("anna", installation).status == .completed)
                try await eventually(within: .seconds(20), "the end of the alert") {
                    try await !alerts(installation).contains("credentials_changed_outside:anna")
                }
            }
        }

        /// Copies bob's tokens and database into anna's row.
        private func attack(_ installation: Installation, as role: String, _ more: String) async throws {
            let attacker = try await installation.database.connect(as: role)
            try await attacker.runScript(
                """
                UPDATE credentials AS a SET google_oauth_token = b.google_oauth_token, notion_api_token = b.notion_api_token,
                    notion_database_id = b.notion_database_id\(more)
                FROM credentials AS b WHERE a.user_id = 'anna' AND b.user_id = 'bob'
                """
            )
            await attacker.close()
        }

        private func sync(_ user: String, _ installation: Installation) async throws -> JobRecord {
            try await installation.waitForJob(try await installation.insertJob(user))
        }

        private func alerts(_ installation: Installation) async throws -> [String] {
            let query: PostgresQuery = "SELECT key FROM sync_alerts WHERE resolved_at IS NULL ORDER BY key"
            return try await installation.pool.query(query).map { try $0.decode("key") }
        }

        @discardableResult
        private func startWorker(_ installation: Installation, _ changes: [String: String]) async throws -> ProgramRun {
            let role = ["DATABASE_URL": installation.database.connectionString(of: "sync_worker")]
            return try await installation.startWorker("worker", role.merging(changes) { $1 })
        }

        private func withRoles(_ body: (Installation) async throws -> Void) async throws {
            let cluster = try await PrivateCluster.start()
            try await Installation.with(notes: 3, cluster: cluster, migrations: []) { installation in
                try await installation.database.setUpRoles()
                try await body(installation)
            }
            try await cluster.remove()
        }
    }
}
