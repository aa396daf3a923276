import FlowControl
import Foundation
import JobQueue
import Support

extension WhyReason {
    static func locked(_ session: LockingSession, isRecord: Bool, _ job: JobRecord, _ times: WhyTimes) -> WhyReason {
        let what = isRecord ? "record" : "queue row"
        let since = session.since.map { " since \(times.past($0))" } ?? ""
        let facts = [session.user.isEmpty ? "" : "user \(session.user)", session.application, session.state]
        let known = facts.filter { !$0.isEmpty }.joined(separator: ", ")
        let holder = session.processID.map { "session \($0)" } ?? "a prepared transaction (see pg_prepared_xacts)"
        return WhyReason(
            code: "locked",
            sentence:
                "Job \(job.id) is passed over by claims because \(holder)\(known.isEmpty ? "" : " (\(known))") has its \(what) "
                + "locked\(since). It can be claimed as soon as that transaction has ended.",
            since: session.since,
            blocker: Blocker(
                kind: "session",
                fields: [
                    ("pid", session.processID.map(JSONValue.int) ?? .null), ("user", .string(session.user)),
                    ("application", .string(session.application)), ("state", .string(session.state)),
                    ("since", .time(session.since)), ("row", .string(what)),
                ]
            ),
            command: session.processID.map { "psql \"$DATABASE_URL\" -c 'SELECT pg_terminate_backend(\($0))'" }
        )
    }

    static func noWorker(_ last: LastWorker?, _ job: JobRecord, _ times: WhyTimes) -> WhyReason {
        let seen = last.map { " The last, \($0.name), \($0.verb) at \(times.past($0.at))." } ?? ""
        let due = job.runAt <= times.now ? " is due since \(times.past(job.runAt))" : " waits"
        return WhyReason(
            code: "no_worker",
            sentence: "Job \(job.id)\(due), and no worker is running.\(seen) It begins once one is started.",
            since: last?.at,
            blocker: last.map(Blocker.init),
            command: "sync-worker"
        )
    }

    static func claimsHeld(_ since: Date, _ peers: [String], _ job: JobRecord, _ times: WhyTimes) -> WhyReason {
        WhyReason(
            code: "claims_held",
            sentence: "Job \(job.id) waits because no worker claims jobs since \(times.past(since)): they do not reach "
                + "\(Peer.words(for: peers)), or another is to find out whether it is back. It goes on by itself; see their logs and: syncctl gates",
            since: since,
            blocker: Blocker(kind: "worker", fields: [("claims_held_since", .time(since))])
        )
    }

    static func claimsFail(_ since: Date, _ job: JobRecord, _ times: WhyTimes) -> WhyReason {
        WhyReason(
            code: "claims_failing",
            sentence:
                "Job \(job.id) waits because the database refuses the claims of all workers since \(times.past(since)). Their logs "
                + "say why; for missing rights run deploy/roles.sql.",
            since: since,
            blocker: Blocker(kind: "worker", fields: [("claims_failing_since", .time(since))])
        )
    }

    static func slotsFull(
        _ running: Int,
        _ slots: Int,
        _ workers: Int,
        _ backlog: QueueBacklog,
        _ job: JobRecord,
        _ times: WhyTimes
    ) -> WhyReason {
        let start = backlog.expectedStart(now: times.now)
        let least = backlog.isAtLeast ? "At least " : ""
        let ahead =
            backlog.ahead == 0
            ? "It is the next."
            : "\(least)\(Count.of(backlog.ahead, "due job")) \(backlog.ahead == 1 ? "comes" : "come") before it."
        let estimate =
            start.map { " As jobs ended in the last ten minutes, it begins about \(times.coming($0))." } ?? ""
        return WhyReason(
            code: "workers_full",
            sentence:
                "Job \(job.id) waits for a slot: \(Count.of(running, "job")) \(running == 1 ? "runs" : "run") in the \(Count.of(slots, "slot")) of "
                + "\(Count.of(workers, "worker")). \(ahead)\(estimate)",
            since: job.runAt,
            until: start,
            blocker: Blocker(
                kind: "worker",
                fields: [
                    ("workers", .int(workers)), ("running", .int(running)), ("slots", .int(slots)),
                    ("jobs_ahead", .int(backlog.ahead)), ("jobs_ended_in_ten_minutes", .int(backlog.endedLately)),
                ]
            ),
            command: "sync-worker"
        )
    }

    /// How a job goes that was begun.
    static func begun(_ finding: JobFinding, _ job: JobRecord, _ times: WhyTimes) -> WhyReason {
        switch finding {
        case .running(let run): running(run, job, times)
        case .workerLost(let run, let others): workerLost(run, others, times)
        case .runOutside:
            WhyReason(
                code: "run_outside",
                sentence:
                    "Job \(job.id) was set to running by something that is no worker: no worker runs it, or ends it. If nothing else "
                    + "does, cancel it and retry it.",
                since: job.startedAt,
                blocker: Blocker(job),
                command: "syncctl cancel \(job.id) && syncctl retry \(job.id)"
            )
        default: ended(job, times)
        }
    }

    private static func running(_ run: JobRun, _ job: JobRecord, _ times: WhyTimes) -> WhyReason {
        let end = run.expectedEnd(now: times.now)
        let estimate = end.map { " At that rate it ends about \(times.coming($0))." } ?? ""
        return WhyReason(
            code: "running",
            sentence: "Job \(job.id) \(run.course(times)).\(estimate)",
            since: job.startedAt,
            until: end,
            blocker: nil
        )
    }

    private static func workerLost(_ run: JobRun, _ others: Int, _ times: WhyTimes) -> WhyReason {
        let name = run.job.worker ?? "unknown"
        let heard = run.worker.map { ", last heard of \(TimeText.rough($0.silence)) ago" } ?? ""
        let lease =
            run.isLeaseOver ? "ended at \(times.past(run.leaseEndsAt))" : "ends at \(times.coming(run.leaseEndsAt))"
        let rescue =
            others > 0
            ? "another worker takes the job over within half of SYNC_LEASE after that"
            : "no other worker is running to take the job over"
        return WhyReason(
            code: "worker_lost",
            sentence:
                "Job \(run.job.id) is held by worker \(name), which has stopped answering\(heard). Its lease \(lease); \(rescue).",
            since: run.worker?.lastSeenAt,
            until: others > 0 ? run.leaseEndsAt : nil,
            blocker: run.worker.map(Blocker.init) ?? Blocker(kind: "worker", fields: [("name", .string(name))]),
            command: others > 0 ? nil : "sync-worker"
        )
    }

    private static func ended(_ job: JobRecord, _ times: WhyTimes) -> WhyReason {
        let at = job.completedAt.map { " at \(times.past($0))" } ?? ""
        let retry = "syncctl retry \(job.id)"
        switch job.status {
        case .completed:
            let failed = job.failedNotes > 0 ? ", \(job.failedNotes) failed" : ""
            let list = job.userID.shellCommand(withOption: "syncctl failed list")
            return WhyReason(
                code: "completed",
                sentence: "Job \(job.id) completed\(at): \(Count.of(job.processedNotes, "note")) processed\(failed)."
                    + (job.failedNotes > 0 ? " See which: \(list)" : ""),
                since: job.completedAt,
                command: retry
            )
        case .failed:
            let error = job.errorMessage ?? job.lastError ?? "no reason is recorded"
            return WhyReason(
                code: "failed",
                sentence: "Job \(job.id) failed\(at) in attempt \(job.attempt) of \(job.maximumAttempts): \(error)",
                since: job.completedAt,
                blocker: Blocker(job),
                command: retry
            )
        case .cancelled:
            let why = job.errorMessage.map { ": \($0)" } ?? "."
            return WhyReason(
                code: "cancelled",
                sentence: "Job \(job.id) was cancelled\(at)\(why)",
                since: job.completedAt,
                command: retry
            )
        default:
            return WhyReason(
                code: "unknown_status",
                sentence:
                    "Job \(job.id) has the status \"\(job.status.rawValue)\", which no worker knows: it does not run.",
                blocker: Blocker(job),
                command: retry
            )
        }
    }
}

extension JobRun {
    /// `runs on w1 since … with 93 of 150 notes settled, 2 failed; last progress …`.
    func course(_ times: WhyTimes) -> String {
        // When a later run began is not on record.
        let since =
            job.startedAt.map { isFirst ? " since \(times.past($0))" : ", begun first at \(times.past($0))" } ?? ""
        let failed = job.failedNotes > 0 ? ", \(job.failedNotes) failed" : ""
        let notes =
            job.totalNotes > 0
            ? " with \(settledNotes) of \(Count.of(job.totalNotes, "note")) settled\(failed)" : ", no notes fetched yet"
        let progress = lastProgressAt.map { "; last progress \(times.past($0))" } ?? ""
        return "\(isLost ? "is held by" : "runs on") \(job.worker ?? "an unknown worker")\(since)\(notes)\(progress)"
    }
}
