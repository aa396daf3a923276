import Foundation
import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import JobQueue
@testable import ServiceHealth
@testable import StatusAPI

/// Reports of what a server does to a queue, and a queue to its server.
@Suite(.timeLimit(.minutes(2)))
struct ServerReportTests {
    /// graphile/worker #449
    @Test func aServerThatTakesNoWritesForAWhileEndsNoWorker() async throws {
        let queue = try await FieldQueue()
        let name = queue.database.name
        let operatorConnection = try await PostgresConnection.connect(
            queue.database.cluster.configuration(database: "postgres"),
            logger: FieldQueue.quiet
        )
        func setReadOnly(_ isReadOnly: Bool) async throws {
            try await operatorConnection.execute(
                "ALTER DATABASE \(identifier: name) SET default_transaction_read_only = \(identifier: isReadOnly ? "on" : "off")"
            )
            try await operatorConnection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = \(name)"
            )
            // The test's own, which are ended with the others.
            queue.pool.discardIdleConnections()
        }
        try await queue.withWorker(queue.configuration("w", lease: .seconds(3), poll: .milliseconds(200))) { _ in
            .completed
        } while: {
            let before = try await queue.insert("ada")
            try await queue.wait(for: before, .completed)
            try await setReadOnly(true)
            // It has met the server as it is now, and so has the listener.
            try await eventually(within: .seconds(20), "sessions on the server that takes no writes") {
                try await operatorConnection.query(
                    """
                    SELECT FROM pg_stat_activity WHERE datname = \(name) AND (query LIKE 'LISTEN%' OR query LIKE '%sync_queue%')
                    """
                ).count > 1
            }
            try await setReadOnly(false)
            let after = try await queue.insert("ada")
            try await queue.wait(for: after, .completed)
        }
        await operatorConnection.close()
    }

    /// graphile/worker #175
    @Test func aColumnThatChangesItsTypeStopsNoPreparedStatement() async throws {
        let queue = try await FieldQueue()
        let pool = PostgresPool(configuration: queue.database.configuration, size: 1, logger: FieldQueue.quiet)
        let client = JobClient(pool: pool)
        let id = try await queue.insert("ada")
        for _ in 1...8 { #expect(try await client.job(id) != nil) }
        try await queue.pool.withConnection { connection in
            try await connection.runScript("ALTER TABLE sync_jobs ALTER COLUMN last_error TYPE varchar(5000)")
        }
        // The one that meets the change says that it may be made again.
        do {
            _ = try await client.job(id)
        } catch let error as PostgresError {
            #expect(error.isRetryable, "\(error)")
        }
        for _ in 1...3 { #expect(try await client.job(id) != nil) }
        await pool.shutdown()
    }

    /// river #1251
    @Test func aStatementThatNeverReturnsIsGivenUp() async throws {
        let queue = try await FieldQueue()
        let id = try await queue.insert("ada")
        let job = try #require(try await queue.claim(1).first)
        #expect(try await queue.finish(job, .failed(error: "x")) == "failed")
        try await queue.pool.execute("UPDATE sync_jobs SET created_at = '2020-01-01', completed_at = '2020-01-02'")
        try await queue.pool.withConnection { connection in
            try await connection.runScript(
                """
                CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN PERFORM pg_sleep(3600); RETURN OLD; END $$;
                CREATE TRIGGER hang BEFORE DELETE ON sync_logs FOR EACH ROW EXECUTE FUNCTION hang();
                """
            )
        }
        var pruner = Pruner(pool: queue.pool, configuration: queue.configuration("w"), logger: FieldQueue.quiet)
        pruner.pace = Pruner.Pace(timeout: .milliseconds(200), pauseFactor: 0)
        // The job is passed over, and the others are pruned.
        let total = try await pruner.prune()
        #expect((total.jobs, total.refused) == (0, 1))
        #expect(total.refusal?.error.code == .queryTimedOut)
        #expect(try await queue.client.job(id) != nil)
        #expect(try await queue.count("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == 0)
    }

    /// awa #492
    @Test func statementsFromOutsideAndWorkersDoNotDeadlock() async throws {
        let queue = try await FieldQueue()
        // Two users, so that all of them meet.
        for number in 1...40 { try await queue.insert("user-\(number % 2)") }
        let ids = try await queue.client.jobs(limit: 100).map(\.id)
        try await withThrowingTaskGroup { group in
            for outsider in 0..<4 {
                group.addTask {
                    for round in 0..<60 {
                        let id = ids[(round * 7 + outsider * 11) % ids.count]
                        let status = ["cancelled", "queued", "completed", "queued"][(round + outsider) % 4]
                        try await queue.pool.execute(
                            "UPDATE sync_jobs SET status = \(status) WHERE job_id = \(id.rawValue)"
                        )
                    }
                }
            }
            for worker in 0..<2 {
                group.addTask {
                    for _ in 0..<60 {
                        for job in try await queue.claim(4, as: "w\(worker)") {
                            _ = try await queue.finish(job, .released(.stopping))
                        }
                        try await queue.pool.execute(.unparkStranded())
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await queue.client.disagreements().isEmpty)
    }

    /// river #746
    @Test func countingWhatThereIsToDoReadsNoHistory() async throws {
        let queue = try await FieldQueue()
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, completed_at)
            SELECT gen_random_uuid(), 'ada', 'completed', now() FROM generate_series(1, 50000)
            """
        )
        try await queue.insert("ada")
        let connection = try await queue.database.connect()
        try await connection.execute("BEGIN")
        let row = try #require(try await connection.query(.queueDepth()).first)
        #expect(try row.decode("queued", as: Int.self) == 1)
        let reads = try await connection.query(
            """
            SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::bigint AS rows FROM pg_stat_xact_user_tables
            WHERE relname = 'sync_jobs'
            """
        )
        #expect(try reads[0].decode("rows", as: Int.self) == 0)
        try await connection.execute("ROLLBACK")
        await connection.close()
    }

    /// pgx #2201
    @Test func clientCertificatesCanBeReplacedWhileTheWorkerRuns() async throws {
        let cluster = try await PrivateCluster.start(.init(tls: true))
        let queue = try await FieldQueue(on: cluster)
        try await queue.pool.execute("CREATE ROLE worker LOGIN SUPERUSER")
        let certificates = try ClientCertificates(of: "worker", on: cluster)
        try await certificates.renew()
        let address = certificates.configuration(database: queue.database.name)
        func isLetIn() async throws -> Bool {
            do {
                try await PostgresConnection.connect(address, logger: FieldQueue.quiet).close()
                return true
            } catch let error as PostgresError where error.code == .connectionFailed {
                return false
            }
        }
        try await eventually("a server that trusts the certificate") { try await isLetIn() }
        let old = try certificates.files()
        try await queue.withWorker(queue.configuration("w", lease: .seconds(5), poll: .milliseconds(200)), at: address)
        { _ in
            .completed
        } while: {
            try await queue.wait(for: try await queue.insert("ada"), .completed)
            try await certificates.renew()
            try await eventually("a server that trusts the new one") { try await isLetIn() }
            // All of the worker's connections have to be made anew, as they are one after the other by their age.
            let ended = try await queue.count(
                """
                SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'worker'
                """
            )
            #expect(ended > 2)
            try await queue.wait(for: try await queue.insert("bob"), .completed)
        }
        // The server did refuse what was there before.
        for (file, content) in old { try content.write(to: file) }
        #expect(try await !isLetIn())
        try certificates.remove()
        try await cluster.remove()
    }

    /// awa #408
    @Test func aMigrationCancelledHalfWayGoesOnWhereItStopped() async throws {
        let database = try await PrivateCluster.shared().createDatabase(migrations: [])
        let migrator = Migrator(migrations: SyncSchema.migrations)
        try await Migrator(migrations: Array(SyncSchema.migrations.prefix(2))).migrate(on: database.pool)
        // An index that is built beside the programs waits for their transactions.
        let program = try await database.connect()
        try await program.execute("BEGIN")
        try await program.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (gen_random_uuid(), 'ada', 'queued')"
        )
        let migrating = try await database.connect()
        let migrated = Task { try await migrator.migrate(on: migrating) }
        try await eventually(within: .seconds(20), "an index under way") {
            try await !database.pool.query(
                "SELECT FROM pg_stat_progress_create_index WHERE datname = current_database()"
            ).isEmpty
        }
        try await database.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index WHERE datname = current_database()"
        )
        await #expect(throws: PostgresError.self) { _ = try await migrated.value }
        try await program.execute("COMMIT")
        await program.close()
        await #expect(throws: PostgresError.self) { try await migrator.checkCurrent(on: database.pool) }
        try await migrator.migrate(on: database.pool)
        try await migrator.checkCurrent(on: database.pool)
        #expect(try await database.pool.query("SELECT FROM pg_index WHERE NOT indisvalid").isEmpty)
        await migrating.close()
        try await database.drop()
    }
}
