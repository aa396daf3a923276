internal import Foundation
internal import JobQueue
internal import Logging

/// Takes a fetched list through: looks up what is known, passes over what is up to date, writes the rest side by side, and
/// moves the cursor when all is settled.
struct NoteListSync {
    let run: SyncRun
    let list: NoteListFile
    let states: SyncStateStore
    let position: SyncPosition

    /// Notes looked up in one query, and the bytes of JSON after which no further note joins them.
    private static let batch = 64
    private static let batchBytes = 8 << 20
    /// Longest time that progress made without writing stays unseen.
    private static let progressInterval = Duration.milliseconds(500)

    /// What was seen on the way.
    private struct Tally {
        var seen: Set<NoteKey> = []
        var newest: KeepTimestamp?
        var upToDate = 0
        /// Whether every note is settled or on the list of failed ones.
        var isComplete = true
        var reportedAt = ContinuousClock.now
    }

    private struct Item {
        var note: KeepNote
        var hash: ContentHash
        /// As JSON.
        var bytes: Int
    }

    /// The notes begun and not ended: a bound on their number, and on their size, as each is held in memory.
    private struct InFlight {
        var count = 0
        var bytes = 0
    }

    func write(wasLimited: Bool) async throws {
        var tally = Tally()
        await withTaskGroup(of: Int.self) { group in
            do {
                try await begin(&tally, &group)
            } catch {
                run.end(error)
            }
            // Notes in flight finish, whatever ends the run: a request broken off is a page nobody knows of.
            await group.waitForAll()
        }
        try run.check()
        try await finish(tally, wasLimited: wasLimited)
    }

    /// Begins every note that is not up to date, some way ahead of the free slots.
    private func begin(_ tally: inout Tally, _ group: inout TaskGroup<Int>) async throws {
        var inFlight = InFlight()
        var start = 0
        while start < list.count {
            try run.check()
            let batch = batch(from: start)
            start = batch.upperBound
            let items = try await read(batch, &tally)
            let known = try await run.context.persistently {
                try await states.known(items.map(\.note.id), of: run.context.job.userID)
            }
            for (item, known) in zip(items, known) {
                let decision = decide(item, known)
                if case .upToDate(let record) = decision {
                    tally.upToDate += 1
                    if !record {
                        await run.journal.count(processed: 1)
                        SyncMetrics.settled(nil, .upToDate)
                        continue
                    }
                }
                while isFull(inFlight, for: item), let ended = await group.next() {
                    inFlight.count -= 1
                    inFlight.bytes -= ended
                }
                try run.check()
                inFlight.count += 1
                inFlight.bytes += item.bytes
                let writer = NoteWriter(run: run, note: item.note, hash: item.hash, known: known)
                let bytes = item.bytes
                group.addTask {
                    await writer.write(decision)
                    return bytes
                }
            }
            try await report(&tally)
        }
    }

    private func isFull(_ inFlight: InFlight, for item: Item) -> Bool {
        inFlight.count >= Self.batch + run.configuration.noteConcurrency
            || inFlight.bytes > 0 && inFlight.bytes + item.bytes > Self.batchBytes
    }

    /// The next notes to look up: one at least.
    private func batch(from start: Int) -> Range<Int> {
        var end = start + 1
        var bytes = list.bytes(at: start)
        while end < list.count, end - start < Self.batch, bytes + list.bytes(at: end) <= Self.batchBytes {
            bytes += list.bytes(at: end)
            end += 1
        }
        return start..<end
    }

    private func decide(_ item: Item, _ known: KnownNote) -> NoteDecision {
        NoteDecision(
            item.note,
            hash: item.hash,
            known: known,
            job: NoteDecision.JobView(
                isFullSync: run.context.job.isFullSync,
                startedAt: run.context.job.startedAt
            ),
            unknownCreates: run.configuration.unknownCreates
        )
    }

    /// Decodes some notes; records those that can't be used.
    private func read(_ indices: Range<Int>, _ tally: inout Tally) async throws -> [Item] {
        var items: [Item] = []
        for index in indices {
            do {
                let note = try list.note(at: index, maximumBytes: run.configuration.maximumNoteBytes)
                guard tally.seen.insert(NoteKey(note.id)).inserted else {
                    try await run.journal.record(repeated(note, at: index))
                    continue
                }
                tally.newest = max(tally.newest ?? note.modifiedAt, note.modifiedAt)
                items.append(Item(note: note, hash: ContentHash(note), bytes: list.bytes(at: index)))
            } catch let unusable as UnusableNote {
                try await record(unusable, &tally)
            }
        }
        return items
    }

    private func repeated(_ note: KeepNote, at index: Int) -> JournalEntry {
        var entry = JournalEntry.log(
            .warning,
            "The Keep Extractor listed this note twice (again at position \(index + 1)); the first counts.",
            noteID: note.id
        )
        entry.processed = 1
        return entry
    }

    private func record(_ unusable: UnusableNote, _ tally: inout Tally) async throws {
        let message = "Note at position \(unusable.position) can't be used: \(unusable.reason)."
        run.context.logger.warning("\(message)")
        var entry = JournalEntry.log(.warning, message, noteID: unusable.id)
        entry.failed = 1
        if let id = unusable.id, tally.seen.insert(NoteKey(id)).inserted {
            entry.failure = FailureRecord(
                noteID: id,
                modifiedAt: unusable.modifiedAt,
                code: "unusableNote",
                error: unusable.reason
            )
        } else if unusable.id == nil {
            // It can't be remembered, so the cursor has to stay before it.
            tally.isComplete = false
        }
        try await run.journal.record(entry)
        SyncMetrics.settled(nil, .failed)
    }

    private func report(_ tally: inout Tally) async throws {
        guard ContinuousClock.now - tally.reportedAt > Self.progressInterval else { return }
        tally.reportedAt = .now
        try await run.journal.record(JournalEntry())
    }

    /// Moves the cursor, lets go of failed notes that are gone, and says what was done.
    private func finish(_ tally: Tally, wasLimited: Bool) async throws {
        let progress = await run.journal.currentProgress
        var entry = JournalEntry.log(
            .info,
            "Sync finished: \(list.count) notes, \(progress.created) created, \(progress.updated) updated, "
                + "\(tally.upToDate) up to date, \(progress.failed) failed."
        )
        if !wasLimited, tally.isComplete {
            entry.cursor = CursorMove(
                modifiedAt: position.moved(newest: tally.newest),
                version: position.version,
                vanishedFailures: position.failedNotes.filter { !tally.seen.contains(NoteKey($0)) }.sorted()
            )
        }
        try await run.journal.record(entry)
        run.context.logger.info(
            "Notes synchronized.",
            metadata: [
                "notes": "\(list.count)", "created": "\(progress.created)", "updated": "\(progress.updated)",
                "up_to_date": "\(tally.upToDate)", "failed": "\(progress.failed)",
            ]
        )
    }
}
