internal import Foundation
internal import Postgres

/// What a job of a list waits for: the first of what ``JobClient/why(_:behind:)`` finds, as far as one look at many jobs
/// tells.
public enum JobWait: Equatable, Sendable {
    case paused(Pause)
    case gate(ClosedGate)
    case retrying
    case dueLater
    case behind(JobID)
    case behindQueued(JobID)
    /// A worker brings it back: nothing that it was parked for is there any more, or a pause that is over.
    case parked
    /// Of a session, or of a prepared transaction (nil).
    case locked(processID: Int?)
    case notInQueue
    case noWorker
    case claimsHeld
    case claimsFail
    case slotsFull
    /// Nothing: the next claim takes it.
    case claimable
    /// Of a running job: another worker, as its own has stopped answering.
    case workerLost
    /// Of a running job: whoever has set it to running, as no worker has.
    case runOutside
}

extension JobClient {
    private static let asked = 200

    /// What jobs wait for, by their identifiers; nothing of those that have ended or run. Two statements for two
    /// hundred jobs, by index; nothing is changed or locked.
    ///
    /// - Parameter gates: what every job has to pass, by name.
    /// - Throws: `PostgresError`.
    public func waits(of jobs: [JobRecord], behind gates: [String] = []) async throws -> [JobID: JobWait] {
        let open = jobs.filter { !$0.status.isFinal }
        guard !open.isEmpty else { return [:] }
        let now = try await databaseTime()
        let workers = try await workers()
        var waits: [JobID: JobWait] = [:]
        for start in stride(from: 0, to: open.count, by: Self.asked) {
            let part = open[start..<min(start + Self.asked, open.count)]
            let ids = part.map(\.id)
            let rows = try await pool.batch([.claimConditions(of: ids), .hold(on: ids, behind: gates)])
            let holds = Dictionary(
                try rows[1].map { (JobID(try $0.decode("job_id")), try HoldRow($0)) }
            ) { first, _ in first }
            let checks = Dictionary(
                try rows[0].map { (JobID(try $0.decode("job_id")), try ClaimCheck($0)) }
            ) { first, _ in first }
            for job in part {
                guard let check = checks[job.id], check.status == job.status else { continue }
                let facts = QueueFacts(
                    job: job,
                    check: check,
                    hold: holds[job.id],
                    now: now,
                    workers: workers,
                    gates: gates
                )
                waits[job.id] = job.status == .queued ? facts.firstWait : facts.lostRun
            }
        }
        return waits
    }
}

extension QueueFacts {
    /// Of a queued job, in the order in which `why` has it.
    var firstWait: JobWait {
        guard check.hasEntry else { return .notInQueue }
        if let pause = hold?.pause { return .paused(pause) }
        if !check.isDue { return hold?.gate.map(JobWait.gate) ?? (hold?.delayReason == nil ? .dueLater : .retrying) }
        if let running = check.running { return .behind(running.id) }
        if check.isParked, !check.isPaused { return .parked }
        if let ahead = check.ahead { return .behindQueued(ahead) }
        if let locker = check.recordLocker ?? check.entryLocker {
            return .locked(processID: locker == 0 ? nil : locker)
        }
        let present = present
        if present.isEmpty { return .noWorker }
        if let gate = hold?.gate { return .gate(gate) }
        if present.allClaimsHeldSince != nil { return .claimsHeld }
        if present.allClaimsFailingSince != nil { return .claimsFail }
        let claiming = present.filter(\.claims)
        return !claiming.isEmpty && claiming.allSatisfy { $0.running >= $0.slots } ? .slotsFull : .claimable
    }

    /// Of a job that has begun; nil: its worker answers.
    var lostRun: JobWait? {
        if job.isRunOutside { return .runOutside }
        guard let running = check.running, running.id == job.id else { return .notInQueue }
        let worker = workers.first { $0.instance == running.holder }
        return running.isLeaseOver || worker?.isSilent ?? false ? .workerLost : nil
    }
}
