import Foundation
import Postgres
import SyncSchema
import TestSupport
import Testing

/// `0009_page_databases_online.sql`: pages of the replaced service get their database, beside the programs.
@Suite(.timeLimit(.minutes(1)))
struct PageDatabaseTests {
    private func unstamped(_ pool: PostgresPool) async throws -> [String] {
        try await pool.query("SELECT DISTINCT user_id FROM sync_state WHERE notion_database_id IS NULL ORDER BY 1")
            .map { try $0.decode("user_id") }
    }

    @Test func pagesGetTheirDatabaseInBatchesThatWaitForNobody() async throws {
        let index = try #require(SyncSchema.migrations.firstIndex { $0.name.hasSuffix("page_databases_online") })
        let step = SyncSchema.migrations[index]
        #expect(step.isOnline)
        let database = try await PrivateCluster.shared().createDatabase(
            migrations: Array(SyncSchema.migrations[..<index])
        )
        let pool = database.pool
        try await pool.withConnection {
            try await $0.runScript(
                """
                INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
                VALUES ('ada', 'g', 'n', 'https://notion.so/Notes-0123456789ABCDEF0123456789abcdef?v=1'), ('bob', 'g', 'n', 'db');
                INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at, notion_database_id)
                SELECT (ARRAY['ada', 'bob', 'nobody'])[n % 3 + 1], 'note-' || n, 'page', now(), CASE WHEN n = 4 THEN 'moved' END
                FROM generate_series(1, 25000) AS n;
                """
            )
        }
        let migrator = Migrator(migrations: SyncSchema.migrations)
        try await pool.withTransaction { outside in
            try await outside.execute(
                "UPDATE sync_state SET notion_page_id = 'other' WHERE keep_note_id IN ('note-3', 'note-24999')"
            )
            try await migrator.migrate(on: pool)
        }
        let rows = try await pool.query(
            """
            SELECT user_id || ': ' || coalesce(notion_database_id, 'none') AS line FROM sync_state GROUP BY 1 ORDER BY 1
            """
        )
        let lines: [String] = try rows.map { try $0.decode("line") }
        #expect(
            lines == [
                "ada: 0123456789abcdef0123456789abcdef", "ada: none", "bob: db", "bob: moved", "nobody: none",
            ]
        )
        let batches = try await pool.query(
            "SELECT count(DISTINCT xmin::text) AS count FROM sync_state WHERE notion_database_id = 'db'"
        )
        #expect(try batches.first?.decode("count", as: Int.self) == 3)
        // What was passed over gets it when it is run again.
        try await pool.withConnection { try await $0.runScript(step.sql) }
        #expect(try await unstamped(pool) == ["nobody"])
    }

    /// It rewrites no row while it holds the lock that its new columns need.
    @Test func theColumnsComeWithoutAnUpdateOfTheTable() async throws {
        let index = try #require(SyncSchema.migrations.firstIndex { $0.name.hasSuffix("note_sync") })
        let database = try await PrivateCluster.shared().createDatabase(
            migrations: Array(SyncSchema.migrations[..<index])
        )
        try await database.pool.withConnection {
            try await $0.runScript(
                """
                INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
                VALUES ('ada', 'g', 'n', 'db');
                INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at)
                VALUES ('ada', 'note', 'page', now());
                """
            )
        }
        let place: PostgresQuery = "SELECT ctid::text || ' ' || xmin::text AS place FROM sync_state"
        let before: String? = try await database.pool.query(place).first?.decode("place")
        try await Migrator(migrations: Array(SyncSchema.migrations[...index])).migrate(on: database.pool)
        #expect(try await database.pool.query(place).first?.decode("place") == before)
    }
}
