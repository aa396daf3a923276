import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

extension IntegrationTests {
    /// What a person meets who starts a program in a world that is not ready: one clear message, and an exit status.
    @Suite struct StartTests {
        @Test func aDatabaseThatDoesNotExist() async throws {
            let cluster = try await PrivateCluster.shared()
            let worker = try start(["DATABASE_URL": cluster.connectionString(database: "not_there")])
            #expect(try await worker.waitForExit() == .code(69))
            let message = try oneMessage(of: worker)
            #expect(message.contains("database \"not_there\" does not exist"))
            #expect(message.contains("createdb") && message.contains("syncctl migrate"))
        }

        @Test func aRoleThatDoesNotExist() async throws {
            let database = try await PrivateCluster.shared().createDatabase()
            let worker = try start(["DATABASE_URL": database.connectionString(of: "nobody_there")])
            #expect(try await worker.waitForExit() == .code(69))
            let message = try oneMessage(of: worker)
            #expect(message.contains("role \"nobody_there\" does not exist"), "\(message)")
            #expect(message.contains("deploy/roles.sql creates the role sync_worker or what -v worker=ROLE names"))
            try await database.drop()
        }

        @Test func aPasswordThatIsRefused() async throws {
            let cluster = try await PrivateCluster.start(PrivateCluster.Options(password: "right-password"))
            let url = "postgresql://postgres:wrong-password@127.0.0.1:\(cluster.port)/postgres"
            let worker = try start(["DATABASE_URL": url])
            #expect(try await worker.waitForExit() == .code(69))
            let message = try oneMessage(of: worker)
            #expect(message.contains("password authentication failed"))
            #expect(!worker.transcript.contains("wrong-password"))
            #expect(message.contains("Check user and password in DATABASE_URL."))
            try await cluster.remove()
        }

        @Test func aServerThatComesUpLater() async throws {
            let cluster = try await PrivateCluster.start()
            try await Installation.with(notes: 1, cluster: cluster) { installation in
                try await installation.addUser("ada")
                try await cluster.stop()
                let worker = try installation.launchWorker("worker")
                let line = try await worker.waitForLine(containing: "can't be reached; trying for 30 s")
                #expect(line.contains("DATABASE_URL"))
                #expect(line.contains("port=\(cluster.port)"))
                try await cluster.start()
                try await worker.waitForLine(containing: "Ready.")
                try await installation.waitForJob(try await installation.insertJob("ada"))
                let waiting = worker.standardOutput.count { $0.contains("can't be reached; trying") }
                #expect(waiting == 1, "said once, not every second")
            }
            try await cluster.remove()
        }

        @Test func aServerThatIsNotThere() async throws {
            let cluster = try await PrivateCluster.start()
            try await cluster.stop()
            let worker = try start(["DATABASE_URL": cluster.connectionString(database: "postgres")])
            try await worker.waitForLine(containing: "can't be reached; trying for 30 s")
            // SIGTERM while it waits ends it as well, and in order.
            worker.send(signal: SIGTERM)
            #expect(try await worker.waitForExit(within: .seconds(5)) == .code(0))
            #expect(worker.standardOutput.contains { $0.contains("Stopped before it was ready") })
            try await cluster.remove()
        }

        @Test func missingMigrations() async throws {
            let database = try await PrivateCluster.shared().createDatabase()
            let worker = try start(["DATABASE_URL": database.connectionString])
            #expect(try await worker.waitForExit() == .code(78))
            let message = try oneMessage(of: worker)
            #expect(message.contains("run `syncctl migrate`"))
            try await database.drop()
        }

        @Test func aMigrationWithAnotherText() async throws {
            let database = try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
            try await database.pool.execute("UPDATE sync_schema_migrations SET checksum = 'x' WHERE version = 1")
            let worker = try start(["DATABASE_URL": database.connectionString])
            #expect(try await worker.waitForExit() == .code(78))
            let message = try oneMessage(of: worker)
            #expect(message.contains("use the release that migrated this database") && message.contains("restore"))
            try await database.drop()
        }

        @Test(arguments: ["sync_operator", "sync_intake"])
        func aRoleWithoutTheRightsOfAWorker(role: String) async throws {
            let database = try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
            let roles = try await database.runRolesFile()
            #expect(roles.exit == .code(0), "\(roles.transcript)")
            let worker = try start(["DATABASE_URL": database.connectionString(of: role)])
            #expect(try await worker.waitForExit() == .code(78))
            let message = try oneMessage(of: worker)
            #expect(message.contains("The role \(role) of DATABASE_URL may not UPDATE sync_jobs.lease"), "\(message)")
            #expect(
                message.contains("deploy/roles.sql gives the rights that sync-worker needs to one role, sync_worker")
            )
            try await database.drop()
        }

        @Test func aRoleThatOnlyReads() async throws {
            let database = try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
            let roles = try await database.runRolesFile()
            #expect(roles.exit == .code(0), "\(roles.transcript)")
            let worker = try start(["DATABASE_URL": database.connectionString(of: "sync_sidecar")])
            let line = try await worker.waitForLine(containing: "sessions that only read")
            #expect(line.contains("default_transaction_read_only") && line.contains("standby"))
            #expect(!worker.transcript.contains("can't be reached; trying"))
            worker.send(signal: SIGTERM)
            _ = try await worker.waitForExit(within: .seconds(5))
            try await database.drop()
        }

        @Test func everyBadVariableIsNamedAtOnce() async throws {
            let worker = try start([
                "DATABASE_URL": "postgresql://user:pass-word-one@host:port/db", "SYNC_WORKER_CONCURRENCY": "many",
                "SYNC_LEASE": "1s", "KEEP_EXTRACTOR_URL": "localhost:8003", "LOG_FORMAT": "xml",
                "ENABLE_NOTIFICATIONS": "perhaps", "NOTIFICATION_WEBHOOK_URL": "hooks.example/secret-path-two",
            ])
            #expect(try await worker.waitForExit() == .code(78))
            let message = worker.standardError.joined(separator: "\n")
            let names = [
                "SYNC_WORKER_CONCURRENCY", "SYNC_LEASE", "KEEP_EXTRACTOR_URL", "LOG_FORMAT", "ENABLE_NOTIFICATIONS",
                "NOTIFICATION_WEBHOOK_URL",
            ]
            for name in names { #expect(message.contains(name)) }
            #expect(message.contains("\"many\"") && message.contains("human"))
            #expect(!worker.transcript.contains("pass-word-one"))
            #expect(!worker.transcript.contains("secret-path-two"))
        }

        @Test func aConnectionStringThatIsNone() async throws {
            let worker = try start(["DATABASE_URL": "postgresql://user:pass@word@host:5432/db"])
            #expect(try await worker.waitForExit() == .code(78))
            #expect(try oneMessage(of: worker).contains("DATABASE_URL"))
            #expect(!worker.transcript.contains("word@"))
        }

        @Test(arguments: ["sync-worker", "sync-intake", "sync-sidecar"])
        func filesThatAreNotThere(product: String) async throws {
            let database = try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
            let folder = FileManager.default.temporaryDirectory.path
            let empty = "\(folder)/\(UUID()).pem"
            try Data("no certificate".utf8).write(to: URL(filePath: empty))
            var cases = [
                ("SYNC_TLS_CA_FILE", "/nofile"), ("SYNC_TLS_CA_FILE", folder), ("SYNC_TLS_CA_FILE", empty),
                ("DATABASE_URL", database.connectionString + "?sslrootcert=/nofile"),
                ("DATABASE_URL", database.connectionString + "?sslcert=/nofile"), ("PGSSLKEY", "/nofile"),
            ]
            if product == "sync-worker" { cases.append(("TMPDIR", "/nofile")) }
            for (variable, value) in cases {
                let run = try ProgramRun.start(
                    product,
                    environment: [
                        "DATABASE_URL": database.connectionString, "SYNC_SERVICE_PORT": "\(try freePort())",
                    ].merging([variable: value]) { $1 }
                )
                #expect(try await run.waitForExit() == .code(78), "\(variable)=\(value)")
                let path = value.split(separator: "=").last ?? ""
                #expect(run.standardError.count { $0.contains(path) } == 1, "\(run.transcript)")
                #expect(variable != "TMPDIR" || run.transcript.contains("Make that folder"), "\(run.transcript)")
            }
            try FileManager.default.removeItem(atPath: empty)
            try await database.drop()
        }

        @Test func aKeyThatIsNone() async throws {
            let worker = try start(["AWS_ENCRYPTION_KEY": "not-really-a-key"])
            #expect(try await worker.waitForExit() == .code(78))
            #expect(try oneMessage(of: worker).contains("AWS_ENCRYPTION_KEY"))
            #expect(!worker.transcript.contains("not-really-a-key"))
        }

        @Test func aMistypedVariableIsPointedOut() async throws {
            try await Installation.with(notes: 1) { installation in
                let worker = try await installation.startWorker("worker", ["SYNC_WORKER_CONCURENCY": "9"])
                let line = try await worker.waitForLine(containing: "SYNC_WORKER_CONCURENCY")
                #expect(line.contains("did you mean SYNC_WORKER_CONCURRENCY?"))
            }
        }

        /// Tokens and notes go over such connections.
        @Test(arguments: ["sync-worker", "sync-sidecar", "sync-intake"])
        func anAddressOutsideInClearIsNamed(product: String) async throws {
            let environment = [
                "DATABASE_URL": "postgresql://nobody@db.invalid/x", "KEEP_EXTRACTOR_URL": "http://keep.invalid",
                "NOTION_WRITER_URL": "http://writer.invalid", "SYNC_PRIVATE_HOSTS": "writer.invalid",
                "SYNC_SERVICE_PORT": "\(try freePort())",
                "AWS_ENCRYPTION_KEY": Data(repeating: 7, count: 32).base64EncodedString(),
            ]
            try await withProgram(product, environment: environment) { run in
                let peer = try await run.waitForLine(containing: "KEEP_EXTRACTOR_URL: ")
                #expect(peer.contains("WARNING") && peer.contains("keep.invalid without TLS"))
                let database = try await run.waitForLine(containing: "DATABASE_URL: ")
                #expect(database.contains("db.invalid") && database.contains("sslmode=verify-full"))
                #expect(!run.transcript.contains("writer.invalid without"))
            }
        }

        /// The replaced service took a webhook by plain HTTP. Its channel refuses its messages; notes are synced.
        @Test func aWebhookByPlainHTTPStopsNothing() async throws {
            try await Installation.with(notes: 1) { installation in
                let worker = try await installation.startWorker(
                    "worker",
                    [
                        "ENABLE_NOTIFICATIONS": "true", "ALERT_GROUP_WAIT": "0s",
                        "NOTIFICATION_WEBHOOK_URL": "http://hooks.invalid/secret-path",
                        "SYNC_SERVICE_URL": "http://sync:8005",
                    ]
                )
                let line = try await worker.waitForLine(containing: "NOTIFICATION_WEBHOOK_URL")
                #expect(line.contains("hooks.invalid") && line.contains("ALERT_ALLOW_PRIVATE_HOSTS"))
                try await installation.addUser("ada")
                #expect(try await installation.waitForJob(try await installation.insertJob("ada")).status == .completed)
                // A job that fails makes an alert, and the channel says why it is not sent.
                _ = try await installation.waitForJob(try await installation.insertJob("nobody"))
                try await eventually(within: .seconds(20), "the refusal of the channel") {
                    let reason = try await installation.pool.query(
                        "SELECT last_error FROM sync_alert_deliveries WHERE state = 'failed'"
                    ).first?.decode("last_error", as: String?.self)
                    return reason?.contains("ALERT_ALLOW_PRIVATE_HOSTS") == true
                }
                #expect(!worker.transcript.contains("secret-path"))
                #expect(!worker.transcript.contains("unknown setting"))
            }
        }

        @Test func aPortThatIsTaken() async throws {
            let first = try await SimulatedPeers.start(notes: 1)
            let port = try #require(URL(string: first.writerURL)?.port)
            let second = try ProgramRun.start("peer-simulator", ["--keep-port", "0", "--writer-port", "\(port)"])
            #expect(try await second.waitForExit() == .code(1))
            let message = try #require(second.standardError.first)
            #expect(message.contains("127.0.0.1:\(port) is taken"))
            #expect(message.contains("--writer-port"))
            await first.program.kill()
        }

        private func start(_ environment: [String: String]) throws -> ProgramRun {
            try ProgramRun.start("sync-worker", environment: environment)
        }

        /// What a program that could not start says: one line on standard error.
        private func oneMessage(of program: ProgramRun) throws -> String {
            #expect(program.standardError.count == 1, "\(program.transcript)")
            let line = try #require(program.standardError.first)
            #expect(line.hasPrefix("sync-worker: "))
            return line
        }
    }
}
