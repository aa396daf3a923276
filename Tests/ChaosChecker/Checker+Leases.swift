extension Checker {
    /// What a worker writes about a user's notes, it writes while a job of that user is running and is its own. The
    /// trigger looked in the same transaction, which in a fenced worker holds the lock of the job's row.
    func writesWithoutLease() -> [Violation] {
        let endings = ownEndings()
        let findings = findings()
        var violations: [Violation] = []
        for change in history.changes where isWorker(change.by) {
            let isAllowed: Bool
            switch change.table {
            case "sync_jobs": isAllowed = mayChangeJob(change)
            case "sync_logs":
                // The last line of a run, and that of a rescue, is written by the statement that ends it.
                isAllowed =
                    change.held?.worker == change.by || endings.contains(Ending(change)) || isOutcome(change, findings)
            case "sync_peer_successes": isAllowed = true
            default:
                isAllowed = change.held?.worker == change.by && hasOwnLease(change) || isOutcome(change, findings)
            }
            guard !isAllowed else { continue }
            let holder = change.held.map { "\($0.worker ?? "nobody") by lease \($0.lease ?? -1)" } ?? "nobody"
            let row = change.row.note ?? change.row.job ?? ""
            let what = "\(change.by): \(change.operation) \(change.table) \(change.row.user ?? "") \(row)"
            violations.append(Violation(.writeWithoutLease, what + ", held by \(holder)"))
        }
        return violations
    }

    /// What a worker has sent it hears out, whoever has the job by then: the outcome of a request of its own, and what
    /// that means for the note's page, may be recorded without the lease. And anybody may find that nobody hears a
    /// request out any more.
    private func isOutcome(_ change: History.Change, _ findings: Set<Int>) -> Bool {
        // Let pass: of what became of a request whose records were lost with a server.
        if change.table != "sync_jobs", losses.hasRequest(by: change.by, user: change.row.user, note: change.row.note) {
            return true
        }
        if findings.contains(change.transaction) {
            return change.table == "sync_intents" || change.table == "sync_logs"
        }
        if change.table == "sync_intents" { return isOwnOutcome(change) }
        if isTakenBack(change, by: change.by) { return true }
        let tables = ["sync_state", "sync_surplus_pages", "sync_unheard_requests", "sync_failed_notes", "sync_logs"]
        guard tables.contains(change.table) else { return false }
        // A text that went to a surplus page is asked for again.
        if change.table == "sync_failed_notes", change.operation != "DELETE", change.new?.code != "superseded" {
            return false
        }
        // Recorded once more, as the answer to the first commit was lost: the row stays as it is, the log has its line
        // twice.
        let mayBeRepeated =
            change.table == "sync_logs" && change.operation == "INSERT"
            || change.table == "sync_state" && change.old == change.new || isRepeatedSurplus(change)
        // In the transaction that ends its request, or after another request has taken that one's place in the table.
        return history.changes.contains { other in
            guard other.table == "sync_intents", other.row.note == change.row.note else { return false }
            if other.transaction == change.transaction { return isOwnOutcome(other) }
            return other.at <= change.at
                && (isSuperseded(other, of: change.by) || mayBeRepeated && isOwnOutcome(other) && other.by == change.by)
        }
    }

    /// Whether a worker records once more the page that a request of its own has made, which has been replaced since:
    /// it is surplus now, and the note's text is asked for again.
    private func isRepeatedSurplus(_ change: History.Change) -> Bool {
        guard ["sync_surplus_pages", "sync_failed_notes"].contains(change.table) else { return false }
        return history.changes.contains { surplus in
            surplus.table == "sync_surplus_pages" && surplus.transaction == change.transaction
                && surplus.row.note == change.row.note
                && history.changes.contains {
                    $0.table == "sync_state" && $0.by == change.by && $0.new?.page == surplus.new?.page
                        && $0.number < surplus.number
                }
        }
    }

    /// Whether a worker records what became of a request that it has sent itself.
    private func isOwnOutcome(_ change: History.Change) -> Bool {
        guard let old = change.old else { return false }
        if takesBackUnknown(change, old) { return true }
        guard intents.sender(of: old.request) == change.by else { return false }
        guard let new = change.new, new.request != old.request else { return true }
        // Withdrawn: the row is the earlier request's again, whose outcome is unknown.
        return new.unknownAt != nil && new.openUntil == nil
    }

    /// Whether a worker takes back, and nothing else, that a request of its own counts as unknown in a row that is
    /// another's by now.
    private func takesBackUnknown(_ change: History.Change, _ old: History.Row) -> Bool {
        guard let new = change.new else { return false }
        var expected = old
        expected.unknownCount = max(0, (old.unknownCount ?? 0) - 1)
        return new == expected
            && history.changes.contains {
                $0.transaction == change.transaction && $0.row.user == old.user && $0.row.note == old.note
                    && isTakenBack($0, by: change.by)
            }
    }

    /// Whether a request of a worker's own is no longer on record as one whose outcome is unknown.
    private func isTakenBack(_ change: History.Change, by worker: String) -> Bool {
        change.table == "sync_unheard_requests" && change.operation == "DELETE"
            && intents.sender(of: change.old?.request) == worker
    }

    private func isSuperseded(_ change: History.Change, of worker: String) -> Bool {
        guard let old = change.old, let new = change.new, old.request != new.request else { return false }
        return intents.sender(of: old.request) == worker
    }

    /// Transactions that did nothing but find requests whose time has passed or whose run is over.
    private func findings() -> Set<Int> {
        var found: Set<Int> = []
        var others: Set<Int> = []
        for change in history.changes where isWorker(change.by) {
            let isFinding: Bool
            switch change.table {
            case "sync_logs": continue
            case "sync_intents":
                isFinding =
                    change.old?.unknownAt == nil && change.new?.unknownAt != nil
                    && change.old?.request == change.new?.request && isOver(change.old, at: change.at)
            default: isFinding = false
            }
            if isFinding { found.insert(change.transaction) } else { others.insert(change.transaction) }
        }
        return found.subtracting(others)
    }

    /// Whether nobody can be under way with a request any more, or its run was ended by somebody else.
    private func isOver(_ intent: History.Row?, at instant: History.Instant) -> Bool {
        guard let intent else { return false }
        if (intent.openUntil ?? 0) <= instant { return true }
        return runs.first { $0.lease == intent.lease }?.end.map { $0.at <= instant } ?? false
    }

    /// A running job is changed by its holder, or by a rescuer after the lease has run out. A queued one may be claimed
    /// by anybody for himself, and parked.
    private func mayChangeJob(_ change: History.Change) -> Bool {
        guard let old = change.old, old.status == "running" else {
            return change.new?.status != "running" || change.new?.worker == change.by
        }
        if old.worker == change.by { return true }
        let isRescue = change.new?.status != "running" && change.isRescue
        return isRescue && (old.leaseExpiresAt ?? 0) < change.at
    }

    /// An intent names the lease by which it was begun: a worker that has lost a job and claimed it again must not
    /// write for the earlier run.
    private func hasOwnLease(_ change: History.Change) -> Bool {
        guard change.table == "sync_intents", let new = change.new else { return true }
        let isBegun = change.old == nil || change.old?.lease != new.lease
        return !isBegun || new.lease == change.held?.lease
    }

    private struct Ending: Hashable {
        var transaction: Int
        var job: String?

        init(_ change: History.Change) {
            transaction = change.transaction
            job = change.row.job
        }
    }

    private func ownEndings() -> Set<Ending> {
        Set(
            history.changes
                .filter { $0.table == "sync_jobs" && $0.old?.status == "running" && $0.new?.status != "running" }
                .map(Ending.init)
        )
    }

    /// How long after it goes on a stopped worker's last request may still go out: the machine is small.
    private static let afterContinuation: History.Instant = 300_000

    /// Every request leaves a worker while it has a job of that user whose lease, by the database, has not run out.
    ///
    /// Until the lease would have run out also after somebody else has ended the run: a worker that is cut off from the
    /// database can't hear of it, and one that is not has a second.
    ///
    /// Let pass: what is sent by a lease that was lost with a server, or renewed by a heartbeat that was, until it
    /// would have run out.
    ///
    /// Let pass: one request for each time that a worker was stopped and went on. The stop can fall between the look at
    /// the clock and the system call, and nothing can be done against that.
    func sendsWithoutLease() -> [Violation] {
        let byHolder = Dictionary(grouping: runs + losses.runs) { "\($0.worker) \($0.user)" }
        var unused = history.continuations
        var violations: [Violation] = []
        for send in history.sends {
            let isHeld = (byHolder["\(send.worker) \(send.user)"] ?? []).contains { run in
                guard let end = run.end else { return run.start <= send.at }
                let expiry = max(end.leaseExpiresAt ?? end.at, losses.expiry(of: run.lease) ?? 0)
                let until = end.kind == .finished ? end.at : expiry
                return run.start <= send.at && send.at <= until
            }
            if isHeld { continue }
            let last = unused.firstIndex {
                $0.worker == send.worker && (0...Self.afterContinuation).contains(send.at - $0.at)
            }
            if let last {
                unused.remove(at: last)
                continue
            }
            violations.append(Violation(.sendWithoutLease, "\(send.worker) sent for \(send.user) at \(send.at)"))
        }
        return violations
    }
}
