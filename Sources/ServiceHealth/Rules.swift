import FlowControl
import Foundation
import JobQueue
import Support

/// The rules of the verdict: facts in, findings out.
struct Rules: Sendable {
    let facts: ServiceFacts

    var times: SentenceTime { SentenceTime(now: facts.now) }
    var depth: QueueDepth { facts.depth }

    var findings: [Finding] {
        if let schema { return [schema] }
        let faults: [Finding?] = [readOnly, noWorker, claimsFailing, claimsHeld, everythingPaused, slotsFull]
        let remarks: [Finding?] = [
            jobsNotTaken, jobsFailed, workerSilent, usersPaused, installationKey, alertsOpen, unknownWrites,
            workersDeaf, notificationQueue,
        ]
        let all = faults.compactMap(\.self) + closedGates + downPeers + remarks.compactMap(\.self)
        return all + [work(isAllWell: all.isEmpty)]
    }

    // MARK: The database

    private var schema: Finding? {
        facts.schemaFault.map { fault in
            Finding(
                code: .schemaNotCurrent,
                severity: .wrong,
                sentence: fault.isPendingOnly
                    ? "The tables are not up to date, and workers of this version do not start on them"
                    : "The tables do not fit this version: \(fault.reason.withoutFullStop)",
                advice: fault.isPendingOnly ? "Migrate them" : nil,
                command: fault.isPendingOnly ? "syncctl migrate" : nil
            )
        }
    }

    private var readOnly: Finding? {
        guard facts.isReadOnly else { return nil }
        return Finding(
            code: .databaseReadOnly,
            severity: .wrong,
            sentence: "The database takes no writes: default_transaction_read_only is on for all sessions",
            advice: "Make room on its disk if that is why, then turn the setting off",
            command:
                "psql \"$DATABASE_URL\" -c 'ALTER SYSTEM RESET default_transaction_read_only' -c 'SELECT pg_reload_conf()'"
        )
    }

    private var notificationQueue: Finding? {
        guard facts.notificationQueueUsage >= 0.1 else { return nil }
        return Finding(
            code: .notificationQueue,
            severity: .warning,
            sentence:
                "PostgreSQL's queue of notifications is \(Int(facts.notificationQueueUsage * 100)) % full: a session that listens "
                + "keeps a transaction open",
            advice: "End that session; from half full on jobs are found by polling",
            command: "syncctl doctor"
        )
    }

    // MARK: What is due

    var dueClause: String {
        let first = depth.oldestDueAge > .zero ? ", the first\(times.since(oldestDue))" : ""
        return "\(QueueDepth.text(depth.due)) \(depth.due == 1 ? "job is" : "jobs are") due\(first)"
    }

    private var oldestDue: Date { facts.now.addingTimeInterval(-depth.oldestDueAge.seconds) }

    private var slotsFull: Finding? {
        let claiming = facts.present.filter(\.claims)
        guard depth.due > 0, !claiming.isEmpty, claiming.allSatisfy({ $0.running >= $0.slots }) else { return nil }
        let slots = claiming.map(\.slots).reduce(0, +)
        return Finding(
            code: .slotsFull,
            severity: .warning,
            sentence: "All \(Count.of(slots, "slot")) of \(Count.of(claiming.count, "worker")) are taken; \(dueClause)",
            since: oldestDue,
            advice: "They begin as others end; for more at once start another worker",
            command: "sync-worker"
        )
    }

    private var jobsNotTaken: Finding? {
        let claiming = facts.present.filter(\.claims)
        guard depth.due > 0, depth.oldestDueAge > .seconds(300), slotsFull == nil, !claiming.isEmpty else { return nil }
        return Finding(
            code: .jobsNotTaken,
            severity: .warning,
            sentence: "\(dueClause), though slots are free",
            since: oldestDue,
            advice: "See what they wait for; syncctl why JOB says it of one",
            command: "syncctl jobs --status queued"
        )
    }

    private var everythingPaused: Finding? {
        guard let pause = facts.pauses.first(where: \.scope.keepsEverything) else { return nil }
        let what =
            switch pause.scope {
            case .peer(let name): "All jobs are paused because of \(Peer.words(for: [name]))"
            case .all, .user: "All jobs are paused"
            }
        return Finding(
            code: .everythingPaused,
            severity: .warning,
            sentence: "\(what), \(words(of: pause)); \(waits(facts.waiting.ofPaused))",
            since: pause.pausedAt,
            advice: "Resume them once that is over",
            command: pause.scope.resumption
        )
    }

    private var usersPaused: Finding? {
        guard facts.pausedUsers > 0 else { return nil }
        let one = facts.pausedUsers == 1 ? facts.pauses.first { !$0.scope.keepsEverything } : nil
        guard let one, case .user(let user) = one.scope else {
            return Finding(
                code: .usersPaused,
                severity: .warning,
                sentence: "\(QueueDepth.text(facts.pausedUsers)) users are paused; \(waits(facts.waiting.ofPaused))",
                advice: "See who, and resume those who need not be",
                command: "syncctl pauses"
            )
        }
        return Finding(
            code: .usersPaused,
            severity: .warning,
            sentence: "User \(user.rawValue) is paused, \(words(of: one)); \(waits(facts.waiting.ofPaused))",
            since: one.pausedAt,
            advice: "Resume the user once that is over",
            command: one.scope.resumption,
            user: user
        )
    }

    private func words(of pause: Pause) -> String {
        "by \(pause.pausedBy)\(times.since(pause.pausedAt)) \(times.until(pause.pausedUntil, otherwise: "until somebody resumes"))"
            + ": \(pause.reason.withoutFullStop)"
    }

    /// `12 jobs wait`.
    func waits(_ count: Int) -> String {
        count == 0 ? "no job waits" : "\(WaitingJobs.text(count)) \(count == 1 ? "job waits" : "jobs wait")"
    }

    // MARK: What has gone wrong

    private var jobsFailed: Finding? {
        guard let latest = facts.failures.latest else { return nil }
        let user = latest.userID
        let count = facts.failures.count
        let error = (latest.error ?? "no reason was recorded").withoutFullStop
        let one =
            "The last job of user \(user.rawValue) failed\(times.since(latest.failedAt).replacing(" since", with: " at"))"
        let many =
            "The last jobs of \(facts.failures.isAtLeast ? "at least " : "")\(count) users failed within a day, the latest of user "
            + "\(user.rawValue)\(times.since(latest.failedAt).replacing(" since", with: " at"))"
        return Finding(
            code: .jobsFailed,
            severity: .warning,
            sentence: "\(count == 1 ? one : many): \(error)",
            since: latest.failedAt,
            advice: "See what mends it, do that, and retry the job",
            command: "syncctl why \(latest.id)",
            user: user
        )
    }

    private var unknownWrites: Finding? {
        guard depth.unknownWrites > 0 else { return nil }
        let count = depth.unknownWrites
        return Finding(
            code: .unknownWrites,
            severity: .warning,
            sentence:
                "\(QueueDepth.text(count)) \(count == 1 ? "write" : "writes") to Notion \(count == 1 ? "is" : "are") of unknown outcome",
            advice: "What is sent again needs nothing; see which are held",
            command: "syncctl unknown list"
        )
    }

    private var installationKey: Finding? {
        guard let alert = facts.alerts.first(where: { $0.kind == "installation_key_missing" }) else { return nil }
        return Finding(
            code: .installationKeyMissing,
            severity: .wrong,
            sentence: "The key that hashes of notes are made with is missing: nobody is synchronized",
            since: alert.since,
            advice:
                "Restore the row of sync_installation_keys from a backup; if nobody has it, do without the old hashes",
            command: "syncctl credentials forget-keys"
        )
    }

    /// Kinds of alerts whose matter a rule here judges by what stands in the tables now. An alert outlasts its cause by
    /// a while.
    private static let judged: Set<String> = [
        "breaker_open", "peer_down", "schema_not_current", "job_failed", "crash_budget", "installation_key_missing",
    ]

    private var alertsOpen: Finding? {
        let open = facts.alerts.filter { !Self.judged.contains($0.kind) }
        guard !open.isEmpty else { return nil }
        let words = open.map { alert in
            let count = alert.count == 1 ? "" : " (\(alert.count))"
            return alert.kind.replacing("_", with: " ") + count
        }
        return Finding(
            code: .alertsOpen,
            severity: .warning,
            sentence:
                "\(open.count == 1 && open[0].count == 1 ? "An alert is" : "Alerts are") open: \(words.joined(separator: ", "))",
            since: open.compactMap(\.since).min(),
            advice: "Each says what to do",
            command: "syncctl alerts list"
        )
    }

    // MARK: How the work goes

    private func work(isAllWell: Bool) -> Finding {
        let completed = facts.throughput.completed.reduce(0, +)
        let failed = facts.throughput.failed.reduce(0, +)
        let ended =
            "\(Count.of(completed, "job")) completed in the last hour" + (failed > 0 ? ", \(failed) failed" : "")
        let clauses = (isAllWell ? ["All is well"] : []) + [ended] + facts.waiting.clauses(depth, times)
        let sentence = clauses.joined(separator: "; ")
        return Finding(code: .work, severity: .ok, sentence: sentence)
    }
}
