public import Foundation
internal import Postgres

/// A worker that was stopped and ended in order.
public struct StoppedWorker: Sendable {
    /// For people.
    public let name: String
    public let stoppedAt: Date
}

/// What is known of the worker that was there last, where none is.
public enum LastWorker: Sendable {
    /// It was last heard of then, and may have died.
    case heard(WorkerRecord)
    /// It was stopped and ended in order.
    case stopped(StoppedWorker)

    /// - Parameter workers: those that have a row.
    init?(among workers: [WorkerRecord], _ stopped: StoppedWorker?) {
        let heard = workers.max { $0.lastSeenAt < $1.lastSeenAt }
        switch (heard, stopped) {
        case (nil, nil): return nil
        case (let heard?, nil): self = .heard(heard)
        case (nil, let stopped?): self = .stopped(stopped)
        case (let heard?, let stopped?):
            self = heard.lastSeenAt > stopped.stoppedAt ? .heard(heard) : .stopped(stopped)
        }
    }

    public var name: String {
        switch self {
        case .heard(let worker): worker.name
        case .stopped(let worker): worker.name
        }
    }

    /// When it stopped, or was last heard of.
    public var at: Date {
        switch self {
        case .heard(let worker): worker.lastSeenAt
        case .stopped(let worker): worker.stoppedAt
        }
    }

    /// `stopped` or `was last heard of`, before `at` and the time.
    public var verb: String {
        switch self {
        case .heard: "was last heard of"
        case .stopped: "stopped"
        }
    }
}

extension JobClient {
    /// The worker that was there last; nil: none has been there in the last day or so. Reads two small tables.
    public func lastWorker() async throws -> LastWorker? {
        let rows = try await pool.batch([.workers(), .lastStop()])
        return try LastWorker(among: rows[0].map(WorkerRecord.init), rows[1].first.map(StoppedWorker.init))
    }
}

extension StoppedWorker {
    init(_ row: PostgresRow) throws {
        name = try row.decode("worker")
        stoppedAt = try row.decode("stopped_at")
    }
}

extension PostgresQuery {
    /// The worker that was stopped last. A scan of a table with a row per stop of the last day.
    static func lastStop() -> PostgresQuery {
        """
        SELECT left(worker, 255) AS worker, stopped_at FROM sync_stopped_workers
        ORDER BY stopped_at DESC LIMIT 1
        """
    }
}
