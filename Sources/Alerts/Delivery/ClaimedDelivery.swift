import Foundation
import JobQueue
import Postgres

/// A message that this worker has the right to send on a channel, until its lease runs out.
struct ClaimedDelivery: Sendable {
    let message: AlertMessage
    let channel: String
    /// The number of this try, from 1.
    let attempt: Int
    let lease: Lease
}

extension ClaimedDelivery {
    /// Reads a row of `claimDelivery`.
    ///
    /// - Throws: `PostgresError`: a column is not as it should be.
    init(_ row: PostgresRow, channel: String, source: String) throws {
        let createdAt: Date = try row.decode("created_at")
        let event: String = try row.decode("event")
        message = AlertMessage(
            id: try row.decode("notice_id"),
            event: AlertMessage.Event(rawValue: event) ?? .trigger,
            // A kind that only a newer program knows is told all the same.
            kind: try row.decode("kind", as: String?.self).flatMap(AlertKind.init),
            key: try row.decode("key", as: String?.self) ?? "held_back:\(channel)",
            count: try row.decode("count"),
            jobID: try row.decode("job_id"),
            userID: try row.decode("user_id"),
            users: try row.decode("users", as: [String]?.self) ?? [],
            error: try row.decode("error"),
            kinds: try row.decode("kinds", as: [String]?.self) ?? [],
            firstAt: try row.decode("first_at", as: Date?.self) ?? createdAt,
            lastAt: try row.decode("last_at", as: Date?.self) ?? createdAt,
            source: source
        )
        self.channel = channel
        attempt = try row.decode("attempt")
        lease = Lease(try row.decode("lease"))
    }
}
