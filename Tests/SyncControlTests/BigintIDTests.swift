import Logging
import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import SyncControl

/// A table of an installation that counts its rows by an int and is too large to be rewritten at once.
@Suite("From int to bigint beside the programs", .database())
struct BigintIDTests {
    private static let name = "sync_logs_id_bigint"

    /// More than 32 MiB of log.
    private func adopted() async throws -> ControlFixture {
        let control = try ControlFixture()
        let earlier = SyncSchema.migrations.filter { $0.version < 8 }
        try await Migrator(migrations: earlier).migrate(on: control.database.pool)
        try await control.execute("ALTER TABLE sync_logs ALTER COLUMN id TYPE int")
        try await control.execute("ALTER SEQUENCE sync_logs_id_seq AS int")
        try await control.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (gen_random_uuid(), 'anna', 'queued')"
        )
        try await control.execute(
            """
            INSERT INTO sync_logs (job_id, level, message)
            SELECT job_id, 'INFO', repeat('x', 1800) FROM sync_jobs, generate_series(1, 22000)
            """
        )
        return control
    }

    private func isTrue(_ control: ControlFixture, _ condition: String) async throws -> Bool {
        let rows = try await control.database.pool.query(PostgresQuery(stringLiteral: "SELECT (\(condition)) AS holds"))
        return try rows.first?.decode("holds") ?? false
    }

    private static let isBuilding = """
        SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
            AND query LIKE '%CREATE UNIQUE INDEX CONCURRENTLY%sync_logs_id_bigint%' AND pid <> pg_backend_pid()
            AND wait_event_type = 'Lock')
        """

    @Test("The index of a large table is built beside writers, and built again after it was broken off")
    func largeTable() async throws {
        let control = try await adopted()
        let reader = try await PostgresConnection.connect(
            control.database.pool.configuration,
            logger: Logger(label: "test")
        )
        try await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        _ = try await reader.query("SELECT count(*) FROM sync_workers")
        let first = try control.start(["migrate"])
        first.closeInput()
        // The build waits for the reader's transaction.
        try await eventually(within: .seconds(60), "the index to be built") {
            try await isTrue(control, Self.isBuilding)
        }
        _ = try await control.database.pool.batch([
            "SET LOCAL lock_timeout = '1s'",
            "INSERT INTO sync_logs (job_id, level, message) SELECT job_id, 'INFO', 'meanwhile' FROM sync_jobs",
        ])
        try await control.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE '%CREATE UNIQUE INDEX%' AND pid <> pg_backend_pid()
            """
        )
        #expect(try await control.result(of: first).code != 0)
        #expect(
            try await isTrue(
                control,
                "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass('\(Self.name)')"
            )
        )
        try await reader.execute("COMMIT")
        await reader.close()
        let second = try await control.run("migrate")
        #expect(second.code == 0, "\(second)")
        #expect(
            try await isTrue(
                control,
                """
                SELECT a.atttypid = 'bigint'::regtype AND i.indisvalid AND i.indisprimary
                FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                WHERE i.indrelid = 'sync_logs'::regclass AND i.indisprimary AND a.attname = 'id'
                """
            )
        )
        #expect(
            try await isTrue(
                control,
                "SELECT count(*) = 22001 AND count(DISTINCT id) = 22001 AND to_regclass('\(Self.name)') IS NULL FROM sync_logs"
            )
        )
    }
}
