internal import FlowControl
internal import Foundation
internal import JobQueue
internal import Logging

/// Takes a fetched list through: looks up what is known, passes over what is up to date, writes the rest side by side,
/// then what has to wait, and moves the cursor when all is settled.
struct NoteListSync {
    let run: SyncRun
    let list: NoteListFile
    let states: SyncStateStore
    let position: SyncPosition

    /// Notes looked up in one query.
    static let batch = 64
    /// Bytes of large notes that a job has in work at once, unless one has more.
    private static let largeBytes = 8 << 20
    /// Longest time that progress made without writing stays unseen.
    private static let progressInterval = Duration.milliseconds(500)
    /// Notes that can't be used of which the worker's own log tells one by one.
    static let unusableLogged = 100

    /// What was seen on the way.
    struct Tally {
        var seen: Set<NoteKey> = []
        /// Whether a note was listed whose id can't be read: it may be any.
        var hasNameless = false
        /// Of the notes that are not from the future.
        var newest: KeepTimestamp?
        var reportedAt = ContinuousClock.now
        /// Notes that can't be used.
        var unusable = 0
        /// Notes whose write has to wait.
        var waiting: [WaitingNote] = []
        /// Until when those wait that are left to a later job; nil: there are none, or the next one sends them.
        var waitingWords: String?
    }

    struct Item {
        var index: Int
        var note: KeepNote
        var hash: ContentHash
        /// As JSON.
        var bytes: Int
    }

    /// The notes begun and not ended: a bound on their number, and on their size, as each is held in memory.
    private struct InFlight {
        var count = 0
        var bytes = 0
        var largeBytes = 0

        mutating func add(_ bytes: Int) {
            count += 1
            if bytes > NoteMemory.jobBytes { largeBytes += bytes } else { self.bytes += bytes }
        }

        mutating func remove(_ bytes: Int) {
            count -= 1
            if bytes > NoteMemory.jobBytes { largeBytes -= bytes } else { self.bytes -= bytes }
        }

        func isFull(for bytes: Int) -> Bool {
            bytes > NoteMemory.jobBytes
                ? largeBytes > 0 && largeBytes + bytes > NoteListSync.largeBytes
                : self.bytes > 0 && self.bytes + bytes > NoteMemory.jobBytes
        }
    }

    private struct Ended: Sendable {
        var index: Int
        var bytes: Int
        var ending: NoteWriter.Ending
    }

    func write(wasLimited: Bool) async throws {
        var tally = Tally()
        await withTaskGroup(of: Ended.self) { group in
            do {
                try await begin(&tally, &group)
            } catch {
                run.end(error)
            }
            // Notes in flight finish, whatever ends the run: what was sent is heard out.
            for await ended in group { tally.take(ended.index, ended.ending) }
        }
        try run.check()
        try await settleWaiting(&tally)
        try run.check()
        try await finish(tally, wasLimited: wasLimited)
    }

    /// Begins every note that is not up to date, some way ahead of the free slots.
    private func begin(_ tally: inout Tally, _ group: inout TaskGroup<Ended>) async throws {
        var inFlight = InFlight()
        var start = 0
        while start < list.count {
            try run.check()
            let batch = batch(of: start..<list.count) { $0 }
            start = batch.upperBound
            let room = try await room(for: batch)
            let items = try await read(batch, &tally)
            let known = try await run.context.persistently {
                try await states.known(items.map(\.note.id), of: run.context.job.userID)
            }
            for (item, known) in zip(items, known) {
                let decision = decide(item, known)
                if case .upToDate(let record) = decision {
                    if !record {
                        await run.journal.count(JournalEntry(processed: 1, upToDate: 1))
                        SyncMetrics.settled(nil, .upToDate)
                        continue
                    }
                }
                if hasToWait(decision, known) {
                    tally.waiting.append(WaitingNote(index: item.index))
                    continue
                }
                while isFull(inFlight, for: item), let ended = await group.next() {
                    inFlight.remove(ended.bytes)
                    tally.take(ended.index, ended.ending)
                }
                try run.check()
                inFlight.add(item.bytes)
                let writer = NoteWriter(run: run, note: item.note, hash: item.hash, known: known)
                group.addTask { [index = item.index, bytes = item.bytes, room = room.part(item.bytes)] in
                    defer { withExtendedLifetime(room) {} }
                    return Ended(index: index, bytes: bytes, ending: await writer.write(decision))
                }
            }
            // What was not begun has been held until here.
            withExtendedLifetime(room) {}
            try await report(&tally)
        }
    }

    /// Whether a note is written after the others: an earlier write of it may have happened, or another process has to say
    /// what became of its request.
    private func hasToWait(_ decision: NoteDecision, _ known: KnownNote) -> Bool {
        switch decision {
        case .upToDate: false
        case _ where isUnheard(known): true
        // At the end of a run it costs the note less: a writer that comes and goes has been well for the others.
        case .writeAgain: true
        default: false
        }
    }

    /// Whether the note's last request is under way, or its time has passed and that is not on record yet: its row says
    /// all that is known of a page that it may have made, wherever.
    func isUnheard(_ known: KnownNote) -> Bool {
        known.intent.map { $0.unknownAt == nil || $0.openFor != nil } ?? false
    }

    /// Whether anybody's call of the writer had succeeded after an outcome became unknown, when this job began.
    func wasWriterWell(since intent: KnownNote.OpenIntent?) -> Bool {
        run.gate.flow.isProvenHere(.notionWriter) && hasAnybodySucceeded(since: intent)
    }

    func hasAnybodySucceeded(since intent: KnownNote.OpenIntent?) -> Bool {
        guard let unknownAt = intent?.unknownAt, let succeededAt = position.writerSucceededAt else { return false }
        return unknownAt < succeededAt
    }

    private func isFull(_ inFlight: InFlight, for item: Item) -> Bool {
        inFlight.count >= Self.batch + run.configuration.noteConcurrency || inFlight.isFull(for: item.bytes)
    }

    func decide(_ item: Item, _ known: KnownNote) -> NoteDecision {
        NoteDecision(
            item.note,
            hash: item.hash,
            known: known,
            job: NoteDecision.JobView(
                isFullSync: run.context.job.isFullSync,
                databaseID: run.databaseID,
                hasher: run.hasher,
                unknownCreates: run.configuration.unknownCreates,
                unknownLimit: run.configuration.unknownLimit
            )
        )
    }

    // MARK: Ending

    func report(_ tally: inout Tally) async throws {
        guard ContinuousClock.now - tally.reportedAt > Self.progressInterval else { return }
        tally.reportedAt = .now
        try await run.journal.record(JournalEntry())
    }

    /// Moves the cursor, lets go of failed notes that are gone, and says what was done.
    private func finish(_ tally: Tally, wasLimited: Bool) async throws {
        let progress = await run.journal.currentProgress
        if progress.created + progress.updated + progress.failed == 0 { await run.journal.dropPreface() }
        var entry = JournalEntry.log(
            .info,
            "Sync finished: \(list.count) \(list.count == 1 ? "note" : "notes"), \(progress.parts.map { "\($0.count) \($0.text)" }.joined(separator: ", "))."
                + (tally.waitingWords.map { " \($0)" } ?? "")
        )
        if !wasLimited {
            entry.cursor = CursorMove(
                modifiedAt: tally.newest,
                mayMoveBack: run.context.job.isFullSync,
                version: position.version,
                databaseID: run.databaseID,
                vanishedFailures: tally.hasNameless
                    ? [] : position.failedNotes.filter { !tally.seen.contains(NoteKey($0)) }.sorted()
            )
        }
        try await run.journal.record(entry)
        if tally.unusable > Self.unusableLogged {
            run.context.logger.warning(
                "Further notes can't be used; the log of the job names them.",
                metadata: ["notes": "\(tally.unusable - Self.unusableLogged)"]
            )
        }
        run.context.logger.info(
            "Notes synchronized.",
            metadata: [
                "notes": "\(list.count)", "created": "\(progress.created)", "updated": "\(progress.updated)",
                "up_to_date": "\(progress.upToDate)", "trashed": "\(progress.trashed)", "failed": "\(progress.failed)",
            ]
        )
    }
}

/// A note of the list whose write has to wait.
struct WaitingNote: Sendable {
    let index: Int
    /// Since when its outcome is unknown, if that is of this run.
    var unknownSince: ContinuousClock.Instant?
    /// Requests sent for it in this run.
    var tries = 0
}

extension NoteListSync.Tally {
    mutating func take(_ index: Int, _ ending: NoteWriter.Ending) {
        switch ending {
        case .settled: break
        case .overtaken: waiting.append(WaitingNote(index: index))
        case .unknown(let since): waiting.append(WaitingNote(index: index, unknownSince: since, tries: 1))
        }
    }
}

extension JobProgress {
    /// What became of the notes of a complete list; the counts add up to their number.
    fileprivate var parts: [(count: Int, text: String)] {
        let always = [(created, "created"), (updated, "updated"), (upToDate, "up to date")]
        let seldom = [(trashed, "left in the trash"), (repeated, "listed twice")].filter { $0.0 > 0 }
        return always + seldom + [(failed, "failed")]
    }
}
