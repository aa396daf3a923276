import JobQueue
import Postgres

extension PostgresPool {
    /// What is paused, at most so many; nothing where this role may not look.
    func pauses(limit: Int) async throws -> [Pause] {
        try await unlessDenied { try await PauseList(pool: self).pauses(limit: limit) } ?? []
    }

    /// How many pauses there are by what they are of; nil where this role may not look.
    func pauseCounts() async throws -> [String: Int]? {
        try await unlessDenied { try await PauseList(pool: self).counts() }
    }

    /// Reads; nil where this role may not, which one made for an earlier version may not, or the table is not there
    /// yet.
    func unlessDenied<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value? {
        do {
            return try await body()
        } catch let error as PostgresError
            where [.insufficientPrivilege, .undefinedTable, .undefinedColumn].contains(error.sqlState)
        {
            return nil
        }
    }
}
