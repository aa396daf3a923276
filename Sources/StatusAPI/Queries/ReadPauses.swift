import JobQueue
import Postgres
import ServiceHealth

extension PostgresPool {
    /// How many pauses there are by what they are of; nil where this role may not look.
    func pauseCounts() async throws -> [String: Int]? {
        try await unlessDenied { try await PauseList(pool: self).counts() }
    }
}
