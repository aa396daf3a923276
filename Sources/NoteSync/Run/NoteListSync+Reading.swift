internal import JobQueue
internal import Logging
internal import Support

/// Reading notes of the list, as many at a time as there is room for.
extension NoteListSync {
    /// The first of some notes, to be read and looked up together: one at least, and none beside a large one.
    ///
    /// - Parameter index: the place of one in the list.
    func batch(of notes: Range<Int>, _ index: (Int) -> Int) -> Range<Int> {
        var end = notes.lowerBound + 1
        var bytes = bytesRead(at: index(notes.lowerBound))
        while end < notes.upperBound, end - notes.lowerBound < Self.batch {
            bytes += bytesRead(at: index(end))
            if bytes > NoteMemory.jobBytes { break }
            end += 1
        }
        return notes.lowerBound..<end
    }

    /// Returns when notes may be read. What is returned is to be held as long as they are.
    ///
    /// - Throws: as `SyncRun.check()`.
    func room(for indices: some Sequence<Int>) async throws -> NoteRoom {
        let bytes = indices.reduce(0) { $0 + bytesRead(at: $1) }
        // As it is nearly always.
        if let room = run.memory.roomAtOnce(for: bytes) { return room }
        return try await run.unlessEnded { [memory = run.memory] in try await memory.room(for: bytes) }
    }

    /// A note that is too long is not held in memory.
    private func bytesRead(at index: Int) -> Int {
        let bytes = list.bytes(at: index)
        return bytes > run.configuration.maximumNoteBytes ? 0 : bytes
    }

    /// Decodes some notes; records those that can't be used.
    func read(_ indices: Range<Int>, _ tally: inout Tally) async throws -> [Item] {
        var items: [Item] = []
        for index in indices {
            do {
                let item = try await item(at: index)
                if list.overtaking(index) != nil {
                    await run.journal.note(overtaken(item.note.id, at: index))
                } else if !tally.seen.insert(NoteKey(item.note.id)).inserted {
                    await run.journal.note(repeated(item.note.id, at: index, counts: "the first"))
                } else {
                    if position.isPast(item.note.modifiedAt) {
                        tally.newest = max(tally.newest ?? item.note.modifiedAt, item.note.modifiedAt)
                    }
                    items.append(item)
                }
            } catch let unusable as UnusableNote {
                if let id = unusable.id, list.overtaking(index) != nil {
                    await run.journal.note(overtaken(id, at: index))
                } else {
                    try await record(unusable, &tally)
                }
            }
        }
        return items
    }

    func item(at index: Int) async throws -> Item {
        let note = try await list.note(at: index, maximumBytes: run.configuration.maximumNoteBytes)
        let bytes = list.bytes(at: index)
        let hash = try await workThrough(bytes: bytes) { [hasher = run.hasher] _ in hasher.hash(note) }
        return Item(index: index, note: note, hash: hash, bytes: bytes)
    }

    private func overtaken(_ noteID: String, at index: Int) -> JournalEntry {
        repeated(noteID, at: index, counts: "the newer one, of equal ones the first,")
    }

    private func repeated(_ noteID: String, at index: Int, counts: String) -> JournalEntry {
        var entry = JournalEntry.log(
            .warning,
            "The Keep Extractor listed this note twice (at position \(index + 1) too); \(counts) counts.",
            noteID: noteID
        )
        entry.processed = 1
        entry.repeated = 1
        return entry
    }

    /// A note without an id that could be remembered is logged and counts as failed. It holds up nothing: once it is
    /// fixed it is listed again, as its time of modification has changed.
    private func record(_ unusable: UnusableNote, _ tally: inout Tally) async throws {
        let message = "Note at position \(unusable.position) can't be used: \(unusable.reason)."
        tally.unusable += 1
        if tally.unusable <= Self.unusableLogged { run.context.logger.warning("\(message)") }
        var entry = JournalEntry.log(.warning, message, noteID: unusable.id)
        entry.failed = 1
        if unusable.id == nil { tally.hasNameless = true }
        if let id = unusable.id, tally.seen.insert(NoteKey(id)).inserted {
            entry.failure = FailureRecord(
                noteID: id,
                modifiedAt: unusable.modifiedAt,
                code: "unusableNote",
                error: unusable.reason
            )
        }
        try await run.journal.record(entry)
        SyncMetrics.settled(nil, .failed)
    }
}
