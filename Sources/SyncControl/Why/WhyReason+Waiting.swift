import FlowControl
import Foundation
import JobQueue
import ServiceHealth
import Support

extension WhyReason {
    /// What keeps a queued job, or how one goes that was begun.
    init(_ finding: JobFinding, of diagnosis: JobDiagnosis) {
        let (job, times) = (diagnosis.job, WhyTimes(now: diagnosis.now))
        switch finding {
        case .paused(let pause): self = .paused(pause, job, times)
        case .pauseEnded(let pause): self = .pauseEnded(pause, job)
        case .dueLater(let date): self = .dueLater(date, job, times)
        case .retrying(let date, let reason): self = .retrying(date, reason, job, times)
        case .snoozed(let gate, let date): self = .gate(gate, dueAt: date, job, times)
        case .gate(let gate): self = .gate(gate, dueAt: nil, job, times)
        case .behind(let run): self = .behind(run, job, times)
        case .behindQueued(let other): self = .behindQueued(other, job)
        case .parked: self = .parked(job)
        case .locked(let session, let isRecord): self = .locked(session, isRecord: isRecord, job, times)
        case .notInQueue: self = .notInQueue(job)
        case .noWorker(let last): self = .noWorker(last, job, times)
        case .claimsHeld(let since, let peers): self = .claimsHeld(since, peers, job, times)
        case .claimsFail(let since): self = .claimsFail(since, job, times)
        case .slotsFull(let running, let slots, let workers, let backlog):
            self = .slotsFull(running, slots, workers, backlog, job, times)
        case .claimable:
            let sentence =
                "Job \(job.id) is due and nothing keeps it: the next claim of a worker takes it, within SYNC_POLL_INTERVAL "
                + "at the latest."
            self = WhyReason(code: "claimable", sentence: sentence, since: job.runAt)
        case .running, .workerLost, .runOutside, .ended: self = .begun(finding, job, times)
        }
    }

    private static func paused(_ pause: Pause, _ job: JobRecord, _ times: WhyTimes) -> WhyReason {
        let what = if case .user = pause.scope { "its user is paused" } else { "\(pause.scope.text) is paused" }
        return WhyReason(
            code: "paused",
            sentence: "Job \(job.id) waits because \(what), by \(pause.pausedBy) since \(times.past(pause.pausedAt)) "
                + "\(times.until(pause.pausedUntil, otherwise: "until somebody resumes it")): \(pause.reason)",
            since: pause.pausedAt,
            until: pause.pausedUntil,
            blocker: Blocker(pause),
            command: pause.scope.resumption
        )
    }

    private static func pauseEnded(_ pause: Pause, _ job: JobRecord) -> WhyReason {
        WhyReason(
            code: "pause_ended",
            sentence:
                "Job \(job.id) waits for its turn after a pause that is over: a worker brings it back within half of "
                + "SYNC_LEASE. The pause was: \(pause.text)",
            since: pause.pausedUntil,
            blocker: Blocker(pause)
        )
    }

    private static func dueLater(_ date: Date, _ job: JobRecord, _ times: WhyTimes) -> WhyReason {
        WhyReason(
            code: "due_later",
            sentence: "Job \(job.id) is not due before \(times.coming(date)).",
            since: job.createdAt,
            until: date,
            blocker: Blocker(job),
            command: "syncctl retry \(job.id)"
        )
    }

    private static func retrying(_ date: Date, _ reason: String, _ job: JobRecord, _ times: WhyTimes) -> WhyReason {
        let failed = job.lastErrorAt.map { " at \(times.past($0))" } ?? ""
        let attempts =
            job.attempt > 0
            ? "attempt \(job.attempt) of \(job.maximumAttempts) did not complete\(failed)" : "it was put off\(failed)"
        return WhyReason(
            code: "retrying",
            sentence: "Job \(job.id) is tried again at \(times.coming(date)), as \(attempts): \(reason)",
            since: job.lastErrorAt,
            until: date,
            blocker: Blocker(job),
            command: "syncctl retry \(job.id)"
        )
    }

    /// - Parameter dueAt: when the job is tried again; nil: it is due.
    private static func gate(_ gate: ClosedGate, dueAt: Date?, _ job: JobRecord, _ times: WhyTimes) -> WhyReason {
        let again = dueAt.map { " It is tried again at \(times.coming($0))." } ?? ""
        let verb = job.status == .running ? "runs, and its calls wait" : "waits"
        if let since = gate.outOfOrderSince {
            return WhyReason(
                code: "breaker_open",
                sentence:
                    "Job \(job.id) \(verb) because the gate \(gate.name) is out of order since \(times.past(since)): "
                    + "\(gate.reason.withoutFullStop). Start that peer, or look at its log and the network between: once it is back the job goes on by itself within "
                    + "seconds, or at once by this command.\(again)",
                since: since,
                until: dueAt,
                blocker: Blocker(gate),
                command: "syncctl gates open \(gate.name)"
            )
        }
        let by = gate.closedBy.map { " by \($0)" } ?? ""
        let since = gate.closedAt.map { " since \(times.past($0))" } ?? ""
        return WhyReason(
            code: "gate_closed",
            sentence: "Job \(job.id) \(verb) because the gate \(gate.name) is closed\(by)\(since) "
                + "\(times.until(gate.closedUntil, otherwise: "until somebody opens it")): \(gate.reason.withoutFullStop).\(again)",
            since: gate.closedAt,
            until: gate.closedUntil,
            blocker: Blocker(gate),
            command: "syncctl gates open \(gate.name)"
        )
    }

    private static func behind(_ run: JobRun, _ job: JobRecord, _ times: WhyTimes) -> WhyReason {
        let end = run.expectedEnd(now: times.now)
        let estimate = end.map { " At that rate it ends about \(times.coming($0))." } ?? ""
        return WhyReason(
            code: "behind_running_job",
            sentence:
                "Job \(job.id) waits behind job \(run.job.id) of the same user, which \(run.course(times)).\(estimate) "
                + "It begins by itself when that job has ended.",
            since: run.job.startedAt,
            until: end,
            blocker: Blocker(run),
            command: "syncctl cancel \(run.job.id)"
        )
    }

    private static func behindQueued(_ other: JobID, _ job: JobRecord) -> WhyReason {
        WhyReason(
            code: "behind_queued_job",
            sentence:
                "Job \(job.id) waits behind job \(other) of the same user, which is due and comes first. See: syncctl why \(other)",
            since: job.runAt,
            blocker: Blocker(kind: "job", fields: [("job_id", .string(other.description)), ("status", "queued")])
        )
    }

    private static func parked(_ job: JobRecord) -> WhyReason {
        WhyReason(
            code: "parked",
            sentence:
                "Job \(job.id) is parked, though no other job of its user runs: a worker brings the user's next job back within half "
                + "of SYNC_LEASE.",
            since: job.runAt
        )
    }

    private static func notInQueue(_ job: JobRecord) -> WhyReason {
        WhyReason(
            code: "not_in_queue",
            sentence:
                "Job \(job.id) is \(job.status.rawValue) and has no such row in the queue, as where rows were changed while triggers "
                + "were off: workers repair it as they walk through the records, and syncctl retry does at once.",
            since: job.createdAt,
            blocker: Blocker(job),
            command: "syncctl retry \(job.id)"
        )
    }
}
