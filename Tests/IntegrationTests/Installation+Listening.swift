import Postgres
import TestSupport

extension Installation {
    /// Waits until a worker hears notifications and has said that it wants them.
    ///
    /// - Parameter name: what it calls itself, if that is not what it was started as.
    func waitUntilListening(_ worker: String, name: String? = nil) async throws {
        try await eventually(within: .seconds(10), "the worker's LISTEN") {
            guard try await listeners(of: worker).count == 1 else { return false }
            return try await count("SELECT count(*) FROM sync_workers WHERE worker = \(name ?? worker)") == 1
        }
    }

    /// The server processes in which a worker listens. Workers are told apart by their `application_name`.
    func listeners(of worker: String) async throws -> [Int32] {
        let rows = try await pool.query(
            """
            SELECT pid FROM pg_stat_activity
            WHERE application_name = \(worker) AND state = 'idle'
                AND (query LIKE 'LISTEN%sync_gates_closed%' OR query LIKE 'NOTIFY%')
                AND datname = current_database()
            """
        )
        return try rows.map { try $0.decode("pid") }
    }
}
