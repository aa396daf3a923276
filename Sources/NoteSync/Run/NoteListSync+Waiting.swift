internal import Foundation
internal import JobQueue
internal import Logging

/// The notes that are written last: those whose request may be under way in another process, and those whose earlier write may
/// have happened. The latter are sent again only when another call of the writer has succeeded since; where there is no other,
/// one of them finds out.
extension NoteListSync {
    /// Longest time between two looks at a request of another process.
    private static let lookInterval = Duration.seconds(1)
    private static let longestCooldown = Duration.seconds(3600)

    /// One look at the notes that wait.
    private struct Round {
        /// Those that may be written now, or that need no writing any more.
        var ready: [(waiting: WaitingNote, item: Item, known: KnownNote, decision: NoteDecision)] = []
        /// Those that wait for the writer to prove well.
        var doubtful: [(waiting: WaitingNote, item: Item, known: KnownNote, decision: NoteDecision)] = []
        /// Those whose request may be under way.
        var underWay: [WaitingNote] = []
        var shortestWait = NoteListSync.lookInterval
    }

    func settleWaiting(_ tally: inout Tally) async throws {
        var waiting = tally.waiting
        var hasProbed = false
        while !waiting.isEmpty {
            try run.check()
            try await report(&tally)
            var round = try await look(at: waiting)
            waiting = round.underWay + (try await write(round.ready))
            if !round.ready.isEmpty {
                waiting += round.doubtful.map(\.waiting)
                continue
            }
            if !hasProbed, round.underWay.isEmpty, let place = probe(of: round) {
                hasProbed = true
                if let left = try await probe(round.doubtful[place]) {
                    round.doubtful.remove(at: place)
                    waiting = round.doubtful.map(\.waiting) + left
                    continue
                }
            }
            guard !round.underWay.isEmpty else {
                try await giveUp(round)
                return
            }
            waiting += round.doubtful.map(\.waiting)
            try await run.context.pause(for: round.shortestWait)
        }
    }

    private func look(at waiting: [WaitingNote]) async throws -> Round {
        var round = Round()
        let user = run.context.job.userID
        for start in stride(from: 0, to: waiting.count, by: Self.batch) {
            let some = waiting[start..<min(start + Self.batch, waiting.count)]
            let items = try some.map { try item(at: $0.index) }
            let known = try await run.context.persistently { try await states.known(items.map(\.note.id), of: user) }
            for ((waiting, item), known) in zip(zip(some, items), known) {
                sort(waiting, item, known, into: &round)
            }
        }
        // What has been under way until now, and is no longer, may have happened.
        if !round.underWay.isEmpty { try await markAbandoned() }
        return round
    }

    private func sort(
        _ waiting: WaitingNote,
        _ item: Item,
        _ known: KnownNote,
        into round: inout Round
    ) {
        let decision = decide(item, known)
        switch decision {
        case .wait:
            round.underWay.append(waiting)
            let left = known.intent?.openFor ?? .zero
            round.shortestWait = min(round.shortestWait, max(left, .milliseconds(20)))
        case .writeAgain where known.intent?.unknownAt == nil:
            // Its time has passed just now. It is on record as unknown before anything is sent again.
            round.underWay.append(waiting)
            round.shortestWait = min(round.shortestWait, .milliseconds(20))
        case .writeAgain where !mayWriteAgain(waiting, known):
            round.doubtful.append((waiting, item, known, decision))
        default:
            round.ready.append((waiting, item, known, decision))
        }
    }

    private func mayWriteAgain(_ waiting: WaitingNote, _ known: KnownNote) -> Bool {
        guard mayTry(waiting) else { return false }
        if let since = waiting.unknownSince { return run.health.hasSucceeded(since: since) }
        return wasWriterWell(since: known.intent) || run.health.hasSucceeded(since: run.began)
    }

    private func mayTry(_ waiting: WaitingNote) -> Bool { waiting.tries < run.configuration.noteAttempts }

    /// - Returns: those whose outcome is unknown again.
    private func write(
        _ ready: [(waiting: WaitingNote, item: Item, known: KnownNote, decision: NoteDecision)]
    ) async throws -> [WaitingNote] {
        await withTaskGroup(of: WaitingNote?.self) { group in
            var unknown: [WaitingNote] = []
            for (count, note) in ready.enumerated() {
                if run.end != nil { break }
                if count >= Self.batch, let ended = await group.next() ?? nil { unknown.append(ended) }
                let writer = NoteWriter(run: run, note: note.item.note, hash: note.item.hash, known: note.known)
                group.addTask { Self.waiting(note.waiting, after: await writer.write(note.decision)) }
            }
            for await ended in group { if let ended { unknown.append(ended) } }
            return unknown
        }
    }

    private static func waiting(_ note: WaitingNote, after ending: NoteWriter.Ending) -> WaitingNote? {
        guard case .unknown(let since) = ending else { return nil }
        return WaitingNote(index: note.index, unknownSince: since, tries: note.tries + 1)
    }

    /// The note that finds out: the one that has been sent least often. One that has been sent as often as its budget allows, in
    /// whatever outage, waits until another call succeeds: each may have made a page.
    private func probe(of round: Round) -> Int? {
        let candidates = round.doubtful.indices.filter { place in
            let note = round.doubtful[place]
            return mayTry(note.waiting) && (note.known.intent?.sentCount ?? 0) <= run.configuration.unknownLimit
        }
        return candidates.min { left, right in
            (round.doubtful[left].known.intent?.sentCount ?? 0) < (round.doubtful[right].known.intent?.sentCount ?? 0)
        }
    }

    /// Finds out by one note whether the writer is well again, if its time has come and the writer says that it is.
    ///
    /// - Returns: what is left of the note to be done; nil if it was not sent.
    private func probe(
        _ note: (waiting: WaitingNote, item: Item, known: KnownNote, decision: NoteDecision)
    ) async throws -> [WaitingNote]? {
        guard let intent = note.known.intent else { return nil }
        let cooldown = min(
            run.configuration.unknownCooldown * (1 << min(max(intent.sentCount - 1, 0), 20)),
            max(Self.longestCooldown, run.configuration.unknownCooldown)
        )
        let left = cooldown - intent.unknownFor
        guard left <= run.configuration.unknownCooldown else { return nil }
        if left > .zero { try await run.context.pause(for: left) }
        guard await run.writer.isHealthy() else { return nil }
        let writer = NoteWriter(
            run: run,
            note: note.item.note,
            hash: note.item.hash,
            known: note.known,
            // A writer that has answered others in this run is no outage: then it counts.
            isProbe: !run.health.hasSucceeded(since: run.began)
        )
        let ending = await writer.write(note.decision)
        try run.check()
        return Self.waiting(note.waiting, after: ending).map { [$0] } ?? []
    }

    /// Leaves the rest to the next job. Where nothing could be written and several notes wait, that is this job, later.
    private func giveUp(_ round: Round) async throws {
        if round.doubtful.count > 1, !run.health.hasSucceeded(since: run.began) {
            let reason = round.doubtful.lazy.compactMap(\.known.intent?.reason).first
            throw NoteSyncError(
                .peerFailed,
                .transient(),
                "The Notion Writer is ill: \(round.doubtful.count) notes wait until a call of it succeeds. \(reason ?? "")"
            )
        }
        for note in round.doubtful {
            guard let intent = note.known.intent else { continue }
            let writer = NoteWriter(run: run, note: note.item.note, hash: note.item.hash, known: note.known)
            try await writer.recordNotSentAgain(intent)
        }
    }

    /// Records as unknown what another process has left and nobody hears out any more.
    func markAbandoned() async throws {
        let user = run.context.job.userID
        let abandoned = try await run.context.persistently { try await states.markAbandoned(of: user) }
        AbandonedWrite.tell(abandoned, run.context.logger)
    }
}
