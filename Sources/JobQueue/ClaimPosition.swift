internal import Foundation
internal import Postgres

/// A place in the queue's order.
struct ClaimPosition: Sendable, Equatable {
    var priority: Int16
    var runAt: PostgresInstant
    var id: UUID

    /// Before every other.
    static let lowestID = UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
}

extension ClaimPosition {
    /// The last place that a claim is done with; nil if there was nothing due.
    init?(_ row: PostgresRow) throws {
        guard let id = try row.decode("last_job_id", as: UUID?.self) else { return nil }
        self.id = id
        priority = try row.decode("last_priority")
        runAt = try row.decode("last_run_at")
    }
}
