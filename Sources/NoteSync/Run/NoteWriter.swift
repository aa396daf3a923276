internal import Foundation
internal import JobQueue
internal import Logging

/// Brings one note to Notion: intent, call, record, and again where that is right. Ends the run when a fault is not the
/// note's own; never lets the note's own fault stop the others.
struct NoteWriter: Sendable {
    let run: SyncRun
    let note: KeepNote
    let hash: ContentHash
    let known: KnownNote

    /// What to do after a failed call.
    enum Next {
        case again, done, recreate
    }

    func write(_ decision: NoteDecision) async {
        do {
            switch decision {
            case .upToDate: try await recordUpToDate()
            case .hold: try await recordHeld()
            case .create(let key):
                if let page = try await create(idempotencyKey: key ?? UUID()), page.hash != hash {
                    try await update(page)
                }
            case .update(let page): try await update(page)
            }
        } catch {
            run.end(error)
        }
    }

    /// - Returns: the page and what it shows; nil if there is none. A create whose key has been sent before with other
    ///   content shows that, with a writer that knows the key: then an update has to follow, or the edit would be lost. With
    ///   one that does not, the note's text then stands there twice, which is the lesser harm.
    private func create(idempotencyKey: UUID) async throws -> KnownNote.Page? {
        let intent = Intent(
            noteID: note.id,
            operation: .create,
            pageID: nil,
            idempotencyKey: idempotencyKey,
            hash: hash,
            modifiedAt: note.modifiedAt
        )
        let payload = NotionNote(note, untitledNumber: nil)
        let shown = known.intent?.idempotencyKey == idempotencyKey ? known.intent?.hash ?? hash : hash
        var page: KnownNote.Page?
        var attempt = 1
        while true {
            let failure = try await call(intent) { context throws(NotionWriterClient.Failure) in
                try await run.writer.createPage(payload, idempotencyKey: idempotencyKey, context)
            } record: { pageID in
                page = KnownNote.Page(
                    id: pageID,
                    modifiedAt: note.modifiedAt,
                    hash: shown,
                    untitledNumber: note.untitledNumber,
                    lastSyncedAt: .now
                )
                try await recordWritten(.create, pageID, untitledNumber: note.untitledNumber, shown: shown)
            }
            guard let failure else { return page }
            guard try await after(failure, intent, attempt: &attempt) == .again else { return nil }
        }
    }

    private func update(_ page: KnownNote.Page) async throws {
        let intent = Intent(
            noteID: note.id,
            operation: .update,
            pageID: page.id,
            idempotencyKey: UUID(),
            hash: hash,
            modifiedAt: note.modifiedAt
        )
        let payload = NotionNote(note, untitledNumber: page.untitledNumber)
        let number = note.untitledNumber == nil ? nil : page.untitledNumber ?? note.untitledNumber
        var attempt = 1
        while true {
            let failure = try await call(intent) { context throws(NotionWriterClient.Failure) in
                try await run.writer.updatePage(page.id, payload, context)
            } record: {
                try await recordWritten(.update, page.id, untitledNumber: number, shown: hash)
            }
            guard let failure else { return }
            switch try await after(failure, intent, attempt: &attempt) {
            case .again: continue
            case .done: return
            case .recreate:
                try await run.proof.whileTrying { try await create(idempotencyKey: UUID()) != nil }
                return
            }
        }
    }

    /// Commits the intent, makes the call and records its success, when the gate is open and there is a free slot. The slot
    /// is free again when the result is durable, so that a crash leaves at most one unknown write per slot; and when the
    /// others are held back if they must be, so that none of them calls in between.
    ///
    /// - Parameter record: gives the slot back.
    /// - Returns: how the call failed; nil if it did not.
    private func call<Value: Sendable>(
        _ intent: Intent,
        _ send: (NotionWriterClient.CallContext) async throws(NotionWriterClient.Failure) -> Value,
        record: (Value) async throws -> Void
    ) async throws -> NotionWriterClient.Failure? {
        try await run.enterSlot(with: JournalEntry(begun: intent))
        let value: Value
        do throws(NotionWriterClient.Failure) {
            value = try await send(run.call())
        } catch {
            holdBackOthers(error)
            run.leaveSlot()
            return error
        }
        run.gate.succeeded()
        run.proof.proved()
        try await record(value)
        return nil
    }
}
