import Foundation
import Logging
import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import JobQueue

/// What roles can't do with the functions of the schema, and what the schema is.
@Suite(.timeLimit(.minutes(1)))
struct SchemaTests {
    @Test func functionsFindTheirOwnTablesAndArePrivate() async throws {
        let queue = try await QueueFixture()
        let rows = try await queue.pool.query(
            """
            SELECT p.oid::regprocedure::text AS name,
                coalesce(p.proconfig @> ARRAY['search_path=' || current_schema() || ', pg_temp'], false) AS is_fixed,
                has_function_privilege('public', p.oid, 'EXECUTE') AS is_public
            FROM pg_proc AS p WHERE p.pronamespace = current_schema()::regnamespace
            """
        )
        #expect(rows.count >= 10)
        for row in rows {
            let name: String = try row.decode("name")
            #expect(try row.decode("is_fixed", as: Bool.self), "\(name) has no fixed search_path with pg_temp last")
            #expect(try !row.decode("is_public", as: Bool.self), "\(name) may be called by anybody")
        }
    }

    /// An installation of the replaced service may have been made with any encoding.
    @Test func aDatabaseOfAnotherEncodingTakesTheMigrations() async throws {
        let queue = try await QueueFixture()
        let name = "latin_\(UUID().uuidString.prefix(8))"
        try await queue.pool.execute(
            "CREATE DATABASE \(identifier: name) TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let connection = try await PostgresConnection.connect(
            queue.database.cluster.configuration(database: name),
            logger: logger
        )
        try await Migrator(migrations: SyncSchema.migrations).migrate(on: connection)
        try await connection.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (gen_random_uuid(), 'zoë@example.org', 'queued')"
        )
        #expect(try await connection.query("SELECT user_id FROM sync_queue").count == 1)
        await connection.close()
        try await queue.pool.execute("DROP DATABASE \(identifier: name)")
    }

    /// An INSERT must not run what its sender has put before the tables that the trigger reads.
    @Test func aTemporaryViewDoesNotGetIntoATrigger() async throws {
        let queue = try await QueueFixture()
        let connection = try await queue.database.connect()
        try await asRole(
            "hijack_insert",
            on: connection,
            grants: "GRANT INSERT (job_id, user_id, status) ON sync_jobs TO"
        ) {
            try await connection.runScript(
                """
                CREATE FUNCTION pg_temp.steal() RETURNS text LANGUAGE plpgsql AS $$
                BEGIN
                    EXECUTE 'CREATE TABLE public.stolen AS SELECT current_user AS by';
                    RETURN gen_random_uuid();
                END $$;
                CREATE TEMP VIEW sync_workers AS
                    SELECT pg_temp.steal()::uuid AS instance, now() AS last_seen_at, 1 AS slots, 0 AS running, true AS wakeable;
                GRANT SELECT ON sync_workers TO PUBLIC;
                INSERT INTO public.sync_jobs (job_id, user_id, status) VALUES (gen_random_uuid(), 'mallory', 'queued');
                """
            )
        }
        await connection.close()
        #expect(try await queue.count("SELECT count(*) FROM pg_class WHERE relname = 'stolen'") == 0)
        #expect(try await queue.claim().map(\.userID.rawValue) == ["mallory"])
    }

    /// A role that may read is refused the functions, and a temporary table of the same name is not what they would
    /// find.
    @Test func aReaderCannotCallAFunctionOfTheOwner() async throws {
        let queue = try await QueueFixture()
        let connection = try await queue.database.connect()
        try await asRole("hijack_reader", on: connection, grants: "GRANT SELECT ON sync_jobs TO") {
            try await connection.runScript("CREATE TEMP TABLE sync_jobs (LIKE public.sync_jobs)")
            for call in ["sync_queue_unpark('ada', true)", "sync_queue_wake()", "sync_queue_repair(1)"] {
                await #expect {
                    try await connection.query(PostgresQuery(stringLiteral: "SELECT public.\(call)"))
                } throws: { error in
                    (error as? PostgresError)?.sqlState == .insufficientPrivilege
                }
            }
        }
        await connection.close()
    }

    /// Whatever their statements say: who reads a pause or a closed gate asks that role.
    @Test func whoPausesOrClosesAGateIsOnRecordByRole() async throws {
        let queue = try await QueueFixture()
        let connection = try await queue.database.connect()
        try await connection.runScript("INSERT INTO sync_gates (gate) VALUES ('keep_extractor')")
        try await asRole(
            "honest_operator",
            on: connection,
            grants: """
                GRANT SELECT, INSERT, UPDATE ON sync_pauses TO honest_operator;
                GRANT SELECT, INSERT (gate, closed_at, closed_until, reason, closed_by),
                    UPDATE (closed_at, closed_until, reason, closed_by) ON sync_gates TO
                """
        ) {
            try await connection.runScript(
                """
                INSERT INTO sync_pauses (scope, key, reason, paused_by) VALUES ('all', '', 'mine', 'root'), ('user', 'ada', 'r', 'root');
                UPDATE sync_pauses SET paused_by = 'root' WHERE scope = 'user';
                INSERT INTO sync_gates (gate, closed_at, closed_until, reason, closed_by)
                VALUES ('notion_writer', now(), now() + interval '1 hour', 'mine', 'root');
                UPDATE sync_gates SET closed_by = 'root', closed_until = now() + interval '1 hour' WHERE gate = 'keep_extractor';
                """
            )
            let named = try await connection.query(
                """
                SELECT count(*) FROM (SELECT paused_by AS name FROM sync_pauses UNION ALL SELECT closed_by FROM sync_gates) AS n
                WHERE name = 'honest_operator'
                """
            ).first?.decode(at: 0, as: Int.self)
            #expect(named == 4)
        }
        // Who restores a dump says who it was; and workers, which may move the pace, are told apart by their names.
        try await connection.runScript(
            """
            UPDATE sync_pauses SET paused_by = 'ada' WHERE scope = 'all';
            UPDATE sync_gates SET closed_by = 'worker-1' WHERE gate = 'notion_writer';
            """
        )
        #expect(try await queue.count("SELECT count(*) FROM sync_pauses WHERE paused_by = 'ada'") == 1)
        #expect(try await queue.count("SELECT count(*) FROM sync_gates WHERE closed_by = 'worker-1'") == 1)
        await connection.close()
    }

    private func asRole(
        _ name: String,
        on connection: PostgresConnection,
        grants: String,
        _ body: () async throws -> Void
    ) async throws {
        try await connection.runScript("CREATE ROLE \(name); \(grants) \(name); SET ROLE \(name)")
        try await body()
        try await connection.runScript("RESET ROLE; DROP OWNED BY \(name); DROP ROLE \(name)")
    }

    /// `migrations/schema.sql` is what `pg_dump -s` says of the migrated database.
    @Test func theDumpIsTheSchema() async throws {
        let queue = try await QueueFixture()
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL
        let script = root.appending(path: "migrations/dump").path
        let run = try ProgramRun(
            executable: "/bin/bash",
            [script, try await PrivateCluster.shared().socketConnectionString(database: queue.database.name)]
        )
        try await run.waitForExit(within: .seconds(30))
        let dump = run.standardOutput.joined(separator: "\n") + "\n"
        let checkedIn = try String(contentsOf: root.appending(path: "migrations/schema.sql"), encoding: .utf8)
        #expect(dump == checkedIn, "run migrations/dump on a migrated database, and check in what it says")
    }
}
