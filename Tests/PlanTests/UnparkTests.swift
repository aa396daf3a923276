import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import JobQueue

/// What is parked is not read whenever a job ends.
@Suite(.timeLimit(.minutes(3)))
struct UnparkTests {
    @Test func ofAPausedUserOnlyForcedJobsAreRead() async throws {
        let database = try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
        try await database.pool.execute("INSERT INTO sync_pauses (scope, key, reason) VALUES ('user', 'bob', 'r')")
        for user in ["bob", "carl"] {
            try await database.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status) SELECT gen_random_uuid(), \(user), 'queued'
                FROM generate_series(1, 20000)
                """,
                timeout: .none
            )
        }
        try await database.pool.execute("UPDATE sync_queue SET is_parked = true", timeout: .none)
        try await database.pool.execute("VACUUM ANALYZE sync_queue", timeout: .none)
        try await database.pool.withConnection { connection in
            for user in ["bob", "carl"] {
                let reads = try await ReadCounts.of(connection) {
                    _ = try await connection.query(.unparkNext(of: [UserID(user)], wakes: false))
                }
                #expect(reads.tableScans.keys.filter { $0 != "sync_workers" }.isEmpty, "\(user): \(reads)")
                #expect(reads.indexEntries <= 20, "\(user): \(reads)")
            }
        }
    }
}
