internal import Logging
internal import Postgres
internal import Support

/// Results that wait: for somebody's lock, for what takes long, for what should pass.
extension Completer {
    /// What a result is recorded with, which says how long that may take: all others that have arrived, those that were
    /// held up with it, or none.
    enum Company {
        case withOthers, apart, alone
    }

    /// Once the worker stops, there are seconds left in all.
    func limit(_ company: Company) -> QueryTimeout {
        switch company {
        case .withOthers: .after(stop.isRequested ? .seconds(1) : .seconds(2))
        case .apart: .after(stop.isRequested ? .milliseconds(500) : .seconds(1))
        case .alone: .configured
        }
    }

    func wakeup(_ company: Company) -> Wakeup {
        switch company {
        case .withOthers: arrived
        case .apart: heldUp
        case .alone: slow
        }
    }

    /// Whether a statement waited for a lock or ran for longer than it may, while the database answers others; or fails
    /// again and again, for a reason that should pass: one result's row may be what brings it about, as a trigger that
    /// asks another server. A server that takes no writes is everybody's matter.
    func isHeldUp(_ error: PostgresError, _ failures: Int) async -> Bool {
        if error.sqlState == .lockNotAvailable || error.sqlState == .queryCanceled { return true }
        guard error.code == .queryTimedOut || failures >= Self.passingFailures,
            error.sqlState != .readOnlySQLTransaction
        else { return false }
        return await claimer.isAnswered()
    }

    private static let passingFailures = 3

    /// What should pass and has not for so long counts as a refusal, as the slot is needed. A lock does not: whoever
    /// holds it will end it.
    func tooLongHeldUp(_ batch: [PendingResult], by error: PostgresError) -> PendingResult? {
        guard var single = batch.first, let since = single.heldUpSince, .now - since > Self.longestHeldUp,
            error.sqlState != .lockNotAvailable
        else { return nil }
        single.refusedSince = single.refusedSince ?? since
        return single
    }

    private static let longestHeldUp = Duration.seconds(60)

    /// One result that waits for somebody's lock, or is slower than the server allows, must not keep the others:
    /// divides the batch until that one is alone. It is tried by itself then.
    func setApart(_ batch: [PendingResult], delayedBy error: PostgresError, _ company: Company) {
        // A statement that ran out of time may have been committed in the end.
        let batch = batch.map { result in
            var result = result
            result.mayBeRecorded = true
            // The time of a lock does not count; see `tooLongHeldUp`.
            result.heldUpSince = error.sqlState == .lockNotAvailable ? nil : result.heldUpSince ?? .now
            return result
        }
        if company != .withOthers, batch.count == 1, let single = batch.first {
            delayed.log(logger, ["job": "\(single.finish.id)", "error": "\(error)"])
            return addSlow(single, dueAfter: company == .alone ? Self.pauseOfSlow : .zero)
        }
        wait(batch)
        results.addHeldUp(batch, inParts: 4)
        heldUp.signal()
    }

    func addSlow(_ single: PendingResult, dueAfter pause: Duration) {
        wait([single])
        results.addSlow(single, dueAfter: pause)
        slow.signal()
    }

    private func wait(_ batch: [PendingResult]) {
        for result in batch { running.resultWaits(result.finish.id, result.finish.lease, since: result.arrivedAt) }
        waiting.signal()
    }

    /// Frees the slots of jobs whose results wait for long: whoever has their rows locked keeps the worker from no
    /// other job.
    func freeSlots() async {
        while !isEnded {
            if running.freeSlots() { onRelease() }
            await waiting.wait(atMost: running.untilNextFreeSlot ?? .seconds(3600))
        }
    }

    static let pauseOfSlow = Duration.seconds(2)

    func withoutLines(_ batch: [PendingResult]) -> [PendingResult] {
        let count = batch.count { $0.finish.hasLine }
        if count > 0 { lostLines.log(logger, ["lines": "\(count)"]) }
        return batch.map { result in
            var result = result
            result.finish.dropLine()
            return result
        }
    }

    // MARK: Locked, or kept from being changed

    /// A claim of another worker holds a record for milliseconds, a person for long. One that stays locked is tried
    /// by itself from then on, and said.
    func keepBlocked(_ blocked: [PendingResult]) {
        guard !blocked.isEmpty else { return }
        var soon: [PendingResult] = []
        for var waiting in blocked {
            let since = waiting.blockedSince ?? .now
            waiting.blockedSince = since
            if .now - since > Self.longestOfClaims, waiting.continuation != nil {
                addSlow(waiting, dueAfter: Self.pauseOfSlow)
            } else {
                soon.append(waiting)
                if .now - since > Self.longestOfClaims { wait([waiting]) }
            }
        }
        results.addBlocked(soon)
    }

    private static let longestOfClaims = Duration.seconds(4)

    /// A trigger that returns NULL keeps a record from being changed without an error, which looks as if it were
    /// locked: that is a refusal too.
    ///
    /// - Returns: what is to be recorded next; nil if the result is given up.
    func withoutWhatIsSuppressed(_ waiting: PendingResult) async -> PendingResult? {
        guard waiting.blockedSince != nil else { return waiting }
        var waiting = waiting
        let wasFree = waiting.wasFree
        do {
            waiting.wasFree = try await !pool.query(.unlocked(waiting.finish.id, waiting.finish.lease)).isEmpty
        } catch {
            // What keeps it from being found out keeps the result as well, and that is said.
            return waiting
        }
        if !waiting.wasFree {
            delayed.log(logger, ["job": "\(waiting.finish.id)", "error": "another session has its record locked"])
        }
        // A lock may have ended only just now: then the next try records it.
        guard wasFree, waiting.wasFree else { return waiting }
        return reduce(&waiting, because: "a trigger on sync_jobs keeps the record from being changed") ? waiting : nil
    }
}
