import Foundation
import JobQueue

/// What a watcher remembers from one look at a job to the next.
struct Course {
    /// Looks in a row that showed nothing new.
    private(set) var unchangedLooks = 0
    private var last: JobSnapshot?
    private var firstSettled: (count: Int, time: ContinuousClock.Instant)?
    private var failingSince: ContinuousClock.Instant?
    private var offset: TimeInterval?

    /// Seconds from this machine's clock to the database's, which decides due times; asked for once.
    mutating func clockOffset(_ jobs: JobClient) async throws -> TimeInterval {
        if let offset { return offset }
        let measured = try await jobs.databaseTime().timeIntervalSinceNow
        offset = measured
        return measured
    }

    mutating func record(
        _ job: JobRecord,
        _ waits: [JobHold],
        behind gate: ClosedGate? = nil,
        now: Date,
        at instant: ContinuousClock.Instant = .now
    ) -> JobSnapshot {
        failingSince = nil
        let snapshot = JobSnapshot(
            job: job,
            phase: JobPhase(job, waits: waits, gate: gate, now: now),
            now: now,
            notesPerSecond: rate(job, at: instant)
        )
        unchangedLooks = snapshot.change == last?.change ? unchangedLooks + 1 : 0
        last = snapshot
        return snapshot
    }

    /// The last look again, saying that there is no newer one.
    func unreachable() -> JobSnapshot? {
        last.map { JobSnapshot(job: $0.job, phase: .unreachable, now: $0.now, notesPerSecond: nil) }
    }

    /// Whether looks have failed for less than `patience`.
    mutating func mayFail(for patience: Duration, at instant: ContinuousClock.Instant = .now) -> Bool {
        let since = failingSince ?? instant
        failingSince = since
        return instant - since < patience
    }

    private mutating func rate(_ job: JobRecord, at instant: ContinuousClock.Instant) -> Double? {
        let settled = job.processedNotes + job.failedNotes
        guard job.status == .running, settled > 0 else {
            firstSettled = nil
            return nil
        }
        // A new attempt counts from the beginning.
        guard let first = firstSettled, first.count <= settled else {
            firstSettled = (settled, instant)
            return nil
        }
        let seconds = (instant - first.time).seconds
        return seconds >= 1 ? Double(settled - first.count) / seconds : nil
    }
}
