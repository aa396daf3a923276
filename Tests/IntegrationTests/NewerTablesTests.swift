import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

extension IntegrationTests {
    /// Programs of one version on the tables of the next, as during a deployment and after a rollback.
    @Suite struct NewerTablesTests {
        /// All migrations and one that this program does not know.
        private static func migrations(compatibleFrom version: Int) -> [Migration] {
            let sql = "-- Something new.\n-- compatible from: \(version)\n\nSELECT 1"
            return SyncSchema.migrations + [
                Migration(version: SyncSchema.migrations.count + 1, name: "of_tomorrow", sql: sql)
            ]
        }

        @Test func newerTablesThatItCanRunWithStopNoProgram() async throws {
            let migrations = Self.migrations(compatibleFrom: SyncSchema.migrations.count)
            try await Installation.with(notes: 1, migrations: migrations) { installation in
                try await installation.addUser("ada")
                let worker = try await installation.startWorker("worker")
                let line = try await worker.waitForLine(containing: "_of_tomorrow.sql")
                #expect(line.contains("WARN") && line.contains("newer than this program"))
                #expect(try await installation.waitForJob(try await installation.insertJob("ada")).status == .completed)
                for (product, name) in [("sync-intake", "intake"), ("sync-sidecar", "sidecar")] {
                    _ = try await installation.startServer(product, name, [:])
                    try await installation.program(name)?.waitForLine(containing: "_of_tomorrow.sql")
                }
                let listing = try await control(installation, "jobs")
                #expect(listing.exit == .code(0))
                #expect(listing.standardError.contains { $0.contains("_of_tomorrow.sql") })
                for arguments in [["migrate", "--status"], ["migrate"], ["migrate", "--dry-run"]] {
                    let run = try await control(installation, arguments)
                    #expect(run.exit == .code(0), "\(run.transcript)")
                    #expect(run.standardError.contains { $0.contains("newer than this program") })
                }
                let status = try await control(installation, "migrate", "--status")
                let row = try #require(status.standardOutput.first { $0.contains("_of_tomorrow.sql") })
                #expect(row.contains(" newer ") && row.hasSuffix(" \(SyncSchema.migrations.count)"))
            }
        }

        @Test(arguments: ["sync-worker", "sync-intake", "sync-sidecar", "syncctl"])
        func newerTablesThatItCanNotRunWithEndIt(_ product: String) async throws {
            let migrations = Self.migrations(compatibleFrom: SyncSchema.migrations.count + 1)
            let database = try await PrivateCluster.shared().createDatabase(migrations: migrations)
            let arguments = product == "syncctl" ? ["jobs"] : []
            let run = try ProgramRun.start(
                product,
                arguments,
                environment: [
                    "DATABASE_URL": database.connectionString, "SYNC_SERVICE_PORT": "\(try freePort())",
                ]
            )
            #expect(try await run.waitForExit() == .code(78))
            #expect(run.standardError.count == 1, "\(run.transcript)")
            let line = try #require(run.standardError.first)
            #expect(line.hasPrefix("\(product): ") && line.contains("_of_tomorrow.sql"))
            #expect(line.contains("takes one that knows migration \(SyncSchema.migrations.count + 1)"))
            try await database.drop()
        }

        private func control(_ installation: Installation, _ arguments: String...) async throws -> ProgramRun {
            try await control(installation, arguments)
        }

        private func control(_ installation: Installation, _ arguments: [String]) async throws -> ProgramRun {
            let run = try ProgramRun.start(
                "syncctl",
                arguments,
                environment: ["DATABASE_URL": installation.database.connectionString]
            )
            try await run.waitForExit()
            return run
        }
    }
}
