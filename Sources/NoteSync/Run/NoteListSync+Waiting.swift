internal import Foundation
internal import JobQueue
internal import Logging
internal import Support

/// The notes that are written last: those whose request may be under way in another process, and those whose earlier
/// write may have happened. The latter are sent again only when another call of the writer has succeeded since; where
/// there is no other, one that changes nothing finds out, and then one of them. Each does so once in an outage, and
/// once more when its owner has edited it.
extension NoteListSync {
    /// Longest time between two looks at a request of another process.
    private static let lookInterval = Duration.seconds(1)
    /// For longer a request of another process is not waited for in a slot: others need it. Most are heard out by then.
    private static let longestWaitInSlot = Duration.seconds(15)
    /// For longer a writer that is ill is not waited for in a slot.
    private static let longestPauseInSlot = Duration.seconds(5)
    /// When a job looks whether others have found the writer well, which costs a fetch.
    private static let trialPause = Duration.seconds(300)
    /// When the job looks again, at the latest.
    private static let longestAbsence = Duration.seconds(30)
    /// Time between two looks at a request whose time has passed: it is on record as unknown before anything is sent
    /// again.
    private static let unheardInterval = Duration.milliseconds(100)
    /// How often a note that nobody settles may seem to be settled by somebody else: some six seconds.
    private static let mostOvertaken = 7

    /// A note that may be written now, or that needs no writing any more.
    private struct ReadyNote {
        var waiting: WaitingNote
        var item: Item
        var known: KnownNote
        var decision: NoteDecision
    }

    /// A note that waits for the writer to prove well.
    private struct DoubtfulNote {
        var waiting: WaitingNote
        var known: KnownNote
        /// Whether its owner has edited it since it was sent.
        var isEdited: Bool
    }

    /// What the writer shows when it is asked whether it is well.
    private enum Verdict {
        /// No note would be sent again if it were.
        case notAsked
        case well
        /// With what was seen of it just now, as a sentence without its full stop.
        case ill(String)

        var illness: String? { if case .ill(let reason) = self { reason } else { nil } }
    }

    /// One look at the notes that wait. What they say is not kept: they may be many.
    private struct Round {
        /// Whether some could be written, or needed no writing any more.
        var hasSettled = false
        /// Of these, those that are to be looked at again.
        var again: [WaitingNote] = []
        var doubtful: [DoubtfulNote] = []
        /// Those whose request may be under way.
        var underWay: [WaitingNote] = []
        var shortestWait = NoteListSync.lookInterval
        /// How much longer the first of them may be; zero once one is over.
        var nearestEnd = Duration.seconds(3600)
        /// How much longer the last of them may be.
        var longestWait = Duration.zero
    }

    func settleWaiting(_ tally: inout Tally) async throws {
        var waiting = tally.waiting
        var hasAsked = false
        var hasTold = false
        var waitingSince: ContinuousClock.Instant?
        while !waiting.isEmpty {
            try run.check()
            try await report(&tally)
            let round = try await goThrough(waiting)
            waiting = round.underWay + round.again + round.doubtful.map(\.waiting)
            if round.hasSettled {
                try await pauseIfOvertaken(round)
                continue
            }
            if round.underWay.isEmpty {
                let verdict = hasAsked ? .notAsked : try await askWriter(round)
                guard case .well = verdict else { return try await giveUp(round, verdict, &tally) }
                // One write shows whether it can write again; what becomes of the others follows from that.
                guard let first = round.doubtful.first(where: { mayTry($0.waiting) && isTrialDue($0, round) })
                else {
                    continue
                }
                let others = round.doubtful.map(\.waiting).filter { $0.index != first.waiting.index }
                // Where others were written meanwhile, what is wrong is the note's own matter.
                let isTrial =
                    !run.health.hasSucceeded(since: run.began) && !hasAnybodySucceeded(since: first.known.intent)
                let unknown = try await write(first, isTrial: isTrial)
                waiting = others + unknown
                hasAsked = !unknown.isEmpty
            } else {
                if !hasTold, round.longestWait > .zero { await tellOfWaiting(round) }
                hasTold = hasTold || round.longestWait > .zero
                let began = waitingSince ?? .now
                waitingSince = began
                if .now - began > Self.longestWaitInSlot, round.nearestEnd > .zero { throw Self.postponed(round) }
                try await run.context.pause(for: round.shortestWait)
            }
        }
    }

    /// Somebody else settles a note now and then just before it is sent. Where that happens to the same one again and
    /// again, the database loses what is to be sent.
    private func pauseIfOvertaken(_ round: Round) async throws {
        guard let tries = round.again.filter({ $0.unknownSince == nil }).map(\.tries).max(), tries > 2 else { return }
        guard tries < Self.mostOvertaken else {
            throw NoteSyncError(
                .lostRecord,
                .transient(),
                "The database keeps no record of what is to be sent for \(Count.of(round.again.count, "note")), and reports no error: "
                    + "check sync_intents for a trigger, rule or policy that skips rows."
            )
        }
        try await run.context.pause(for: .milliseconds(50 << tries))
    }

    /// Says, in the job's log and in the worker's, why nothing happens, and until when.
    private func tellOfWaiting(_ round: Round) async {
        let count = round.underWay.count
        let (notes, requests) = count == 1 ? ("1 note waits", "a request") : ("\(count) notes wait", "requests")
        let seconds = Int(round.longestWait.seconds.rounded(.up))
        let text =
            "\(notes) for \(requests) that an earlier run has sent: whether the page was written is known at "
            + "\(ClockTime.after(round.longestWait)) at the latest, in \(seconds) s, or on record as unknown then."
        await run.journal.note(.log(.info, text))
        run.context.logger.notice("\(text)")
    }

    private static func postponed(_ round: Round) -> NoteSyncError {
        NoteSyncError(
            .requestUnderWay,
            .snooze(min(round.nearestEnd + .milliseconds(500), longestAbsence)),
            "Notes wait for requests that an earlier run has sent; whether their pages were written is known at "
                + "\(ClockTime.after(round.longestWait)) at the latest."
        )
    }

    /// Looks at all notes that wait, some at a time, and writes those that may be written now.
    private func goThrough(_ waiting: [WaitingNote]) async throws -> Round {
        var round = Round()
        let user = run.context.job.userID
        var start = 0
        while start < waiting.count {
            try run.check()
            let some = waiting[batch(of: start..<waiting.count) { waiting[$0].index }]
            start = some.endIndex
            let room = try await room(for: some.map(\.index))
            var items: [Item] = []
            for note in some { items.append(try await item(at: note.index)) }
            let known = try await run.context.persistently { try await states.known(items.map(\.note.id), of: user) }
            var ready: [ReadyNote] = []
            for ((waiting, item), known) in zip(zip(some, items), known) {
                if let note = sort(waiting, item, known, into: &round) { ready.append(note) }
            }
            round.hasSettled = round.hasSettled || !ready.isEmpty
            round.again += await write(ready)
            withExtendedLifetime(room) {}
        }
        // What has been under way until now, and is no longer, may have happened.
        if !round.underWay.isEmpty { try await markAbandoned() }
        return round
    }

    /// - Returns: the note, if it is ready.
    private func sort(
        _ waiting: WaitingNote,
        _ item: Item,
        _ known: KnownNote,
        into round: inout Round
    ) -> ReadyNote? {
        let decision = decide(item, known)
        switch decision {
        case .upToDate: break
        case _ where isUnheard(known):
            round.underWay.append(waiting)
            let left = known.intent?.openFor.map { max($0, .milliseconds(20)) } ?? Self.unheardInterval
            round.shortestWait = min(round.shortestWait, left)
            round.longestWait = max(round.longestWait, known.intent?.openFor ?? .zero)
            round.nearestEnd = min(round.nearestEnd, known.intent?.openFor ?? .zero)
            return nil
        case .writeAgain where !mayWriteAgain(waiting, known):
            let isEdited = known.intent?.isOutdated(by: item.note, item.hash, run.hasher) ?? false
            round.doubtful.append(DoubtfulNote(waiting: waiting, known: known, isEdited: isEdited))
            return nil
        default: break
        }
        return ReadyNote(waiting: waiting, item: item, known: known, decision: decision)
    }

    private func mayWriteAgain(_ waiting: WaitingNote, _ known: KnownNote) -> Bool {
        guard mayTry(waiting) else { return false }
        if let since = waiting.unknownSince { return run.health.hasSucceeded(since: since) }
        return wasWriterWell(since: known.intent) || run.health.hasSucceeded(since: run.began)
    }

    private func mayTry(_ waiting: WaitingNote) -> Bool { waiting.tries < run.configuration.noteAttempts }

    /// Whether a note may show if the writer is well again. One that its owner has edited since it was sent is
    /// something new to be written, as any other note would be.
    private func isTrialDue(_ note: DoubtfulNote, _ round: Round) -> Bool {
        guard let intent = note.known.intent, intent.wasTrial, intent.resolution != .retry else { return true }
        return note.isEdited || trialWait(round) == .zero || hasAnybodySucceeded(since: intent)
    }

    /// How long until one of the notes that were sent in vain may show it once more, if nothing happens before.
    private func trialWait(_ round: Round) -> Duration {
        max(UnknownWrites.trialInterval - latestUnknown(round), .zero)
    }

    /// For how long the latest outcome has been unknown.
    private func latestUnknown(_ round: Round) -> Duration {
        round.doubtful.compactMap { $0.known.intent?.unknownFor }.min() ?? .zero
    }

    /// - Parameter isTrial: whether it is to show if the writer is well again.
    /// - Returns: the note, if its outcome is unknown again.
    private func write(_ doubtful: DoubtfulNote, isTrial: Bool) async throws -> [WaitingNote] {
        let room = try await room(for: [doubtful.waiting.index])
        let item = try await item(at: doubtful.waiting.index)
        let decision = decide(item, doubtful.known)
        let ready = ReadyNote(waiting: doubtful.waiting, item: item, known: doubtful.known, decision: decision)
        defer { withExtendedLifetime(room) {} }
        return await write([ready], areTrials: isTrial)
    }

    /// - Parameter areTrials: whether they are to show if the writer is well again.
    /// - Returns: those whose outcome is unknown again.
    private func write(_ ready: [ReadyNote], areTrials: Bool = false) async -> [WaitingNote] {
        await withTaskGroup(of: WaitingNote?.self) { group in
            for note in ready {
                if run.end != nil { break }
                let writer = NoteWriter(
                    run: run,
                    note: note.item.note,
                    hash: note.item.hash,
                    known: note.known,
                    isTrial: areTrials
                )
                group.addTask { Self.waiting(note.waiting, after: await writer.write(note.decision)) }
            }
            var unknown: [WaitingNote] = []
            for await ended in group { if let ended { unknown.append(ended) } }
            return unknown
        }
    }

    private static func waiting(_ note: WaitingNote, after ending: NoteWriter.Ending) -> WaitingNote? {
        switch ending {
        case .settled: nil
        case .overtaken: WaitingNote(index: note.index, unknownSince: note.unknownSince, tries: note.tries + 1)
        case .unknown(let since): WaitingNote(index: note.index, unknownSince: since, tries: note.tries + 1)
        }
    }

    /// Asks the writer whether it is well again, where no note that could tell is left to be written: once the last
    /// unknown outcome is some time ago, by its word and by a call that changes nothing.
    ///
    /// - Throws: `NoteSyncError` where that is too far ahead for a slot.
    private func askWriter(_ round: Round) async throws -> Verdict {
        guard round.doubtful.contains(where: { mayTry($0.waiting) && isTrialDue($0, round) }) else { return .notAsked }
        let left = run.configuration.unknownCooldown - latestUnknown(round)
        if left > Self.longestPauseInSlot {
            // What failed just now may be this worker's own matter, or everybody's.
            if round.doubtful.contains(where: { $0.waiting.unknownSince != nil }) {
                let failure = CallGate.PeerFailure(
                    isUnreached: false,
                    isSilence: false,
                    began: run.began,
                    reason: Self.cause(round)
                )
                if let outage = await run.gate.outage(run.context, failure) { throw outage }
                try run.check()
            }
            throw NoteSyncError(
                .peerFailed,
                .snooze(left),
                "What became of a write is not known (\(Self.cause(round))) The Notion Writer is asked in "
                    + "\(Int(left.seconds.rounded(.up))) s whether it is well."
            )
        }
        if left > .zero { try await run.context.pause(for: left) }
        let condition = await run.writer.condition()
        guard condition == .well else { return .ill("The Notion Writer \(condition.words)") }
        let areUpdates = round.doubtful.allSatisfy { $0.known.intent?.operation == .update }
        return try await run.obstacle(before: areUpdates ? .update : .create).map(Verdict.ill) ?? .well
    }

    private static func cause(_ round: Round) -> String {
        round.doubtful.lazy.compactMap { $0.known.intent?.reason }.first ?? "no reason is on record."
    }

    /// Leaves the rest to the next job. Where nothing could be written and several notes wait, that is this job, later.
    ///
    /// - Parameter verdict: what the writer has just shown. That is the cause then, and not what an earlier write met.
    /// - Throws: `NoteSyncError`; where the writer is out of order or out of reach one that spends no attempt.
    private func giveUp(_ round: Round, _ verdict: Verdict, _ tally: inout Tally) async throws {
        let isWriterIll = verdict.illness != nil
        let cause = verdict.illness?.withFullStop ?? Self.cause(round)
        let failure = CallGate.PeerFailure(
            isUnreached: false,
            isSilence: false,
            began: isWriterIll ? .now : run.began,
            reason: cause
        )
        let outage =
            isWriterIll
            ? await run.gate.outageAfterSettling(run.context, failure) : await run.gate.outage(run.context, failure)
        if let outage { throw outage }
        // Who is interrupted has not found out that it is the job's own fault.
        try run.check()
        if isWriterIll || round.doubtful.count > 1, !run.health.hasSucceeded(since: run.began) {
            // Once each note has been sent in vain, only time or another's success can show more.
            let canFindOut = isWriterIll || round.doubtful.contains { isTrialDue($0, round) }
            let until = canFindOut ? "" : " \(waitingWords(round))"
            throw NoteSyncError(
                .peerFailed,
                .transient(notBefore: canFindOut ? nil : Self.trialPause),
                "The Notion Writer is ill: \(Count.of(round.doubtful.count, "note")) to be written when a call of it succeeds.\(until) \(cause)"
            )
        }
        for note in round.doubtful {
            guard let intent = note.known.intent else { continue }
            let waits = !isTrialDue(note, round)
            if waits { tally.waitingWords = waitingWords(round) }
            let room = try await room(for: [note.waiting.index])
            let item = try await item(at: note.waiting.index)
            let writer = NoteWriter(run: run, note: item.note, hash: item.hash, known: note.known)
            try await writer.recordNotSentAgain(intent, waitsFor: waits ? trialWait(round) : nil)
            withExtendedLifetime(room) {}
        }
    }

    /// Until when notes that were sent in vain wait, and what ends that sooner.
    private func waitingWords(_ round: Round) -> String {
        let count = round.doubtful.count { !isTrialDue($0, round) }
        let notes = count == 1 ? "1 note of unknown outcome waits" : "\(count) notes of unknown outcome wait"
        let which = count == 1 ? "it" : "one"
        let command = run.context.job.userID.shellCommand("syncctl unknown retry", "NOTE")
        return
            "\(notes) until \(ClockTime.after(trialWait(round))) unless another call of the Notion Writer succeeds before or "
            + "\(which) is edited; the next sync sends \(which) after: \(command) (syncctl unknown list names the notes)."
    }

    /// Records as unknown the writes of other runs that have no outcome on record in time.
    func markAbandoned() async throws {
        let user = run.context.job.userID
        let abandoned = try await run.context.persistently { try await states.markAbandoned(of: user) }
        AbandonedWrite.tell(abandoned, run.context.logger)
    }
}
