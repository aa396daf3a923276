import Postgres
import SyncSchema
import TestSupport

/// A few databases with the tables in them, lent to one test after another and emptied in between: making one takes
/// longer than most of these tests. However many tests begin together, so many installations are there at once.
actor EmptyDatabases {
    static let shared = EmptyDatabases()

    private static let limit = 4

    private var made = 0
    private var free: [TestDatabase] = []
    private var waiting: [CheckedContinuation<TestDatabase, Never>] = []

    nonisolated func lend(_ body: (TestDatabase) async throws -> Void) async throws {
        let database = try await take()
        let outcome: Result<Void, any Error>
        do {
            try await database.pool.execute(
                """
                TRUNCATE sync_jobs, sync_logs, sync_state, sync_cursors, sync_failed_notes, sync_intents, sync_workers,
                    sync_surplus_pages, sync_unheard_requests, sync_peer_successes, sync_installation_keys, sync_gates,
                    credentials
                """
            )
            try await body(database)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await giveBack(database)
        try outcome.get()
    }

    private func take() async throws -> TestDatabase {
        if let database = free.popLast() { return database }
        guard made == Self.limit else {
            made += 1
            return try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
        }
        return await withCheckedContinuation { waiting.append($0) }
    }

    private func giveBack(_ database: TestDatabase) {
        if waiting.isEmpty {
            free.append(database)
        } else {
            waiting.removeFirst().resume(returning: database)
        }
    }
}
