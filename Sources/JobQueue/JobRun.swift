public import Foundation
internal import Postgres
internal import Support

/// A job that a worker runs, or ran until it stopped answering.
public struct JobRun: Sendable {
    public let job: JobRecord
    /// The process that holds it; nil: its row is gone, or says too little to tell.
    public let worker: WorkerRecord?
    /// Until then nobody else takes the job over, unless its worker renews the lease.
    public let leaseEndsAt: Date
    public let isLeaseOver: Bool
    /// When the last line was written to its log: when something last came of it. nil: nothing yet.
    public let lastProgressAt: Date?

    /// Whether its worker has stopped answering: others take the job over once the lease has ended.
    public var isLost: Bool { isLeaseOver || worker?.isSilent ?? false }

    /// Notes that are settled, failed ones included.
    public var settledNotes: Int { job.processedNotes + job.failedNotes }

    /// Whether it is the job's first run: it began when the job did.
    public var isFirst: Bool { job.attempt <= 1 && job.crashes == 0 && job.snoozes == 0 && job.lastErrorAt == nil }

    /// When it may have ended, at the rate at which it has gone so far. nil: that can't be told yet; or no more, as an
    /// earlier run has settled an unknown part of the notes.
    public func expectedEnd(now: Date) -> Date? {
        guard !isLost, isFirst, let startedAt = job.startedAt, settledNotes > 0, job.totalNotes > settledNotes
        else { return nil }
        let elapsed = now.timeIntervalSince(startedAt)
        return now.addingTimeInterval(elapsed * Double(job.totalNotes - settledNotes) / Double(settledNotes))
    }
}

extension JobRun {
    /// Without a line in its log for so long a run counts as stuck.
    public static let patience = Duration.seconds(300)

    /// Since when nothing comes of it: its worker has stopped answering, or has written no line for long. nil: it goes
    /// on.
    ///
    /// - Parameter now: by the database's clock.
    public func stuckSince(now: Date) -> Date? {
        if isLost { return worker?.lastSeenAt ?? leaseEndsAt }
        let last = [lastProgressAt, job.startedAt].compactMap(\.self).max()
        return last.flatMap { now.timeIntervalSince($0) > Self.patience.seconds ? $0 : nil }
    }

    /// Notes settled a second since it began; nil: that can't be told yet; or no more, as an earlier attempt has settled
    /// an unknown part of them.
    ///
    /// - Parameter now: by the database's clock.
    public func notesPerSecond(now: Date) -> Double? {
        guard !isLost, job.attempt <= 1, settledNotes > 0, let startedAt = job.startedAt else { return nil }
        let elapsed = now.timeIntervalSince(startedAt)
        return elapsed >= 1 ? Double(settledNotes) / elapsed : nil
    }
}

extension JobClient {
    /// The jobs that workers hold, at most `limit`, by their identifiers.
    ///
    /// - Parameter workers: those that there are.
    /// - Throws: `PostgresError`.
    public func runs(of workers: [WorkerRecord], limit: Int) async throws -> [JobRun] {
        try await pool.query(.runs(limit: limit)).map { row in
            let holder = try row.decode("holder", as: UUID?.self).map { WorkerInstance($0) }
            return JobRun(
                job: try JobRecord(row),
                worker: workers.first { $0.instance == holder },
                leaseEndsAt: try row.decode("lease_ends_at", as: Date?.self) ?? .distantPast,
                isLeaseOver: try row.decode("is_lease_over", as: Bool?.self) ?? true,
                lastProgressAt: try row.decode("last_at")
            )
        }.sorted { $0.job.id < $1.job.id }
    }
}

/// A session that has a row of a job locked, so that no claim takes the job.
public struct LockingSession: Equatable, Sendable {
    /// nil: no session, but a prepared transaction.
    public let processID: Int?
    public let user: String
    public let application: String
    public let state: String
    /// When its transaction began; nil: it has ended meanwhile, or this role may not see it.
    public let since: Date?

    init(processID: Int, _ row: PostgresRow?) throws {
        self.processID = processID == 0 ? nil : processID
        user = try row?.decode("user_name") ?? ""
        application = try row?.decode("application") ?? ""
        state = try row?.decode("state") ?? ""
        since = try row?.decode("xact_start")
    }
}

/// What stands before a job that waits for a slot.
public struct QueueBacklog: Equatable, Sendable {
    /// Due jobs before it in the queue's order, counted up to a thousand.
    public let ahead: Int
    /// Jobs that ended in the last ten minutes.
    public let endedLately: Int

    /// Whether there are more than were counted.
    public var isAtLeast: Bool { ahead >= JobClient.mostAhead }

    /// When it may begin, if jobs go on to end as in the last ten minutes; nil: none has ended, or there are too many.
    public func expectedStart(now: Date) -> Date? {
        guard endedLately > 0, !isAtLeast else { return nil }
        return now.addingTimeInterval(600 * Double(ahead + 1) / Double(endedLately))
    }
}
