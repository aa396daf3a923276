public import Postgres

/// How many workers the backlog can use now: the number for an autoscaler.
///
/// A user's jobs run one at a time, so what counts is users and not jobs: those who have one running, and those who
/// have one due that is not paused. While a peer is out of order, or its gate is closed for longer than a job waits in
/// its slot, one job is enough to find out when that is over.
public struct UsefulWorkers: Sendable {
    /// Jobs that could run at once.
    public let slots: Int
    /// Jobs that a worker runs at once, on average.
    public let slotsPerWorker: Double

    public var workers: Int { Int((Double(slots) / max(slotsPerWorker, 1)).rounded(.up)) }

    /// Whether there is so much that not all of it was counted: then both numbers are the least that they can be.
    public var isAtLeast: Bool { slots >= Self.readLimit }

    /// Due jobs are read up to here, the first in the queue's order; so many are enough to tell.
    static let readLimit = 10_000
    /// The default of `SYNC_WORKER_CONCURRENCY`, where no worker says how many it has.
    private static let usualSlots = 4.0

    init(_ row: PostgresRow) throws {
        let waiting: Int = try row.decode("waiting")
        slots = try row.decode("running", as: Int.self) + (try row.decode("is_held") ? min(waiting, 1) : waiting)
        slotsPerWorker = try row.decode("slots", as: Double?.self) ?? Self.usualSlots
    }
}

extension PostgresPool {
    /// How many workers the backlog can use now.
    ///
    /// - Throws: `PostgresError`.
    public func usefulWorkers() async throws -> UsefulWorkers? {
        try await query(.usefulWorkers()).first.map(UsefulWorkers.init)
    }
}
