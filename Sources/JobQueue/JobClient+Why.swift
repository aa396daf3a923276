internal import Foundation
internal import Postgres

extension JobClient {
    /// Due jobs before another that are counted at most.
    static let mostAhead = 1000

    /// Why a job does not run, or how it goes; nil: there is no such job. Every statement is by index, whatever the
    /// number of jobs; nothing is changed or locked.
    ///
    /// - Parameter gates: what the job has to pass, by name.
    /// - Throws: `PostgresError`.
    public func why(_ id: JobID, behind gates: [String] = []) async throws -> JobDiagnosis? {
        var attempts = 0
        while true {
            // In one transaction, and so by one clock.
            let rows = try await pool.batch([
                .job(id), .claimConditions(of: [id]), .hold(on: [id], behind: gates), .databaseTime(), .workers(),
            ])
            guard let record = rows[0].first, let conditions = rows[1].first else { return nil }
            let job = try JobRecord(record)
            let check = try ClaimCheck(conditions)
            attempts += 1
            // It may begin or end between two of these statements.
            if check.status != job.status, attempts < 5 { continue }
            let facts = QueueFacts(
                job: job,
                check: check,
                hold: try rows[2].first.map(HoldRow.init),
                now: try rows[3].first?.decode("now") ?? Date(),
                workers: try rows[4].map(WorkerRecord.init),
                gates: gates
            )
            return JobDiagnosis(
                job: job,
                now: facts.now,
                findings: try await findings(facts),
                isClaimable: check.isClaimable
            )
        }
    }

    private func findings(_ facts: QueueFacts) async throws -> [JobFinding] {
        switch facts.job.status {
        case .completed, .failed, .cancelled, .unknown: return [.ended(facts.job.status)]
        case .running where facts.job.isRunOutside: return [.runOutside]
        case .running:
            guard let running = facts.check.running, running.id == facts.job.id else { return [.notInQueue] }
            let run = try await run(running, facts)
            let gate = try await closedGate(among: facts.gates).map(JobFinding.gate)
            return [run.isLost ? .workerLost(run, others: facts.present.count) : .running(run)]
                + (gate.map { [$0] } ?? [])
        case .queued: return try await waits(facts)
        }
    }

    /// Of a queued job, what keeps it.
    private func waits(_ facts: QueueFacts) async throws -> [JobFinding] {
        let check = facts.check
        guard check.hasEntry else { return [.notInQueue] }
        var findings = facts.hold?.pause.map { [JobFinding.paused($0)] } ?? []
        if !check.isDue { findings.append(facts.delay) }
        if let running = check.running { findings += try await self.behind(running, facts) }
        if check.isParked, !check.isPaused, check.running == nil {
            findings.append(try await endedPause(keeping: facts.job.id).map(JobFinding.pauseEnded) ?? .parked)
        }
        if let ahead = check.ahead { findings.append(.behindQueued(ahead)) }
        if let locker = check.recordLocker ?? check.entryLocker {
            let row = try await pool.query(.session(locker)).first
            let session = try LockingSession(processID: locker, row)
            findings.append(.locked(session, isRecord: check.recordLocker != nil))
        }
        // What is due at a time of its own may find a worker by then.
        if !check.isDue, facts.hold?.delayReason == nil, facts.hold?.gate == nil { return findings }
        return findings + (try await capacity(facts, isKept: !findings.isEmpty))
    }

    private func behind(_ running: ClaimCheck.Running, _ facts: QueueFacts) async throws -> [JobFinding] {
        let run = try await run(running, facts)
        return [.behind(run)] + (run.isLost ? [.workerLost(run, others: facts.present.count)] : [])
    }

    /// Who is there to claim it.
    private func capacity(_ facts: QueueFacts, isKept: Bool) async throws -> [JobFinding] {
        let present = facts.present
        guard !present.isEmpty else { return [.noWorker(last: try await lastWorker())] }
        var findings: [JobFinding] = []
        if facts.check.isDue, let gate = facts.hold?.gate { findings.append(.gate(gate)) }
        if let since = present.allClaimsHeldSince {
            findings.append(.claimsHeld(since: since, peers: try await failingPeers()))
        }
        if let since = present.allClaimsFailingSince { findings.append(.claimsFail(since: since)) }
        guard facts.check.isClaimable, !isKept else { return findings }
        let claiming = present.filter(\.claims)
        if !claiming.isEmpty, claiming.allSatisfy({ $0.running >= $0.slots }) {
            findings.append(
                .slotsFull(
                    running: claiming.map(\.running).reduce(0, +),
                    slots: claiming.map(\.slots).reduce(0, +),
                    workers: claiming.count,
                    try await backlog(before: facts.job)
                )
            )
        }
        return findings.isEmpty ? [.claimable] : findings
    }

    private func backlog(before job: JobRecord) async throws -> QueueBacklog {
        let priority = Int16(clamping: job.priority)
        let query = PostgresQuery.backlog(priority: priority, runAt: job.runAt, id: job.id, atMost: Self.mostAhead)
        let row = try await pool.query(query).first
        return QueueBacklog(ahead: try row?.decode("ahead") ?? 0, endedLately: try row?.decode("ended") ?? 0)
    }

    private func run(_ running: ClaimCheck.Running, _ facts: QueueFacts) async throws -> JobRun {
        let other = running.id == facts.job.id ? nil : try await job(running.id)
        return JobRun(
            job: other ?? facts.job,
            worker: facts.workers.first { $0.instance == running.holder },
            leaseEndsAt: running.leaseEndsAt,
            isLeaseOver: running.isLeaseOver,
            lastProgressAt: try await pool.query(.lastLine(of: running.id)).first?.decode("at")
        )
    }
}

/// What the queue's tables say of a job.
struct QueueFacts {
    let job: JobRecord
    let check: ClaimCheck
    /// Of a queued job.
    let hold: HoldRow?
    let now: Date
    let workers: [WorkerRecord]
    let gates: [String]

    var present: [WorkerRecord] { workers.filter { !$0.isSilent } }

    /// Why a job that is due later is.
    var delay: JobFinding {
        if let gate = hold?.gate { return .snoozed(gate, until: job.runAt) }
        return hold?.delayReason.map { .retrying(job.runAt, reason: $0) } ?? .dueLater(job.runAt)
    }
}
