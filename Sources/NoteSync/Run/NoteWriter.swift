internal import Foundation
internal import JobQueue
internal import Logging
internal import Support

/// Brings one note to Notion: intent, call, record, and again where that is right. Ends the run when a fault is not the
/// note's own; never lets the note's own fault stop the others.
struct NoteWriter: Sendable {
    let run: SyncRun
    let note: KeepNote
    let hash: ContentHash
    let known: KnownNote
    /// Whether what is sent is to show if the writer is well again.
    var isTrial = false

    /// How a note ends, for now.
    enum Ending: Sendable, Equatable {
        /// Nothing more is to be done in this run.
        case settled
        /// The outcome is unknown since this instant; it may be written again once the writer has proved to be well.
        case unknown(since: ContinuousClock.Instant)
        /// Somebody else has settled the note since it was looked up: it is to be looked up again.
        case overtaken
    }

    /// What to do after a failed call.
    enum Next {
        case again, done, recreate, unknown
    }

    func write(_ decision: NoteDecision) async -> Ending {
        do {
            return try await carryOut(decision)
        } catch is OvertakenIntent {
            return .overtaken
        } catch {
            run.end(error)
            return .settled
        }
    }

    private func carryOut(_ decision: NoteDecision) async throws -> Ending {
        if let intent = known.superseded(in: run.databaseID, by: note) { try await recordSuperseded(intent) }
        switch decision {
        case .upToDate: try await recordUpToDate()
        case .hold(let intent): try await recordHeld(intent)
        case .refused(let failure): try await recordStillRefused(failure)
        case .deferred: await run.journal.count(JournalEntry(processed: 1, trashed: 1))
        // The sync of the list handles it.
        case .wait: break
        case .create: return try await create(idempotencyKey: UUID.random())
        case .update(let page): return try await update(page)
        case .writeAgain(let key):
            if known.intent?.operation == .update, let page = pageHere { return try await update(page) }
            return try await create(idempotencyKey: key ?? UUID.random())
        }
        return .settled
    }

    /// The note's page in the database that is written to.
    var pageHere: KnownNote.Page? {
        known.page(in: run.databaseID)
    }

    /// Creates a page, in place of the one that the tables know, if they know one.
    private func create(idempotencyKey: UUID) async throws -> Ending {
        let payload = NotionNote(note, untitledNumber: nil)
        var attempt = 1
        while true {
            let intent = intent(.create, page: known.page?.id, key: idempotencyKey)
            let writer = run.writer
            let failure = try await call(intent) { context throws(NotionWriterClient.Failure) in
                let pageID = try await writer.createPage(payload, idempotencyKey: idempotencyKey, context)
                guard run.madePages.add(pageID, of: note.id) else { throw NotionWriterClient.anothersPage }
                return pageID
            } record: { pageID, began in
                try await recordWritten(intent, pageID, untitledNumber: note.untitledNumber, began: began)
            }
            guard let failure else { return .settled }
            switch try await next(after: failure, intent, attempt: &attempt) {
            case .again: continue
            case .done, .recreate: return .settled
            case .unknown: return .unknown(since: .now)
            }
        }
    }

    private func update(_ page: KnownNote.Page) async throws -> Ending {
        let payload = NotionNote(note, untitledNumber: page.untitledNumber)
        let number = note.untitledNumber == nil ? nil : page.untitledNumber ?? note.untitledNumber
        var attempt = 1
        while true {
            let intent = intent(.update, page: page.id, key: UUID.random())
            let writer = run.writer
            let failure = try await call(intent) { context throws(NotionWriterClient.Failure) in
                try await writer.updatePage(page.id, payload, context)
            } record: { _, began in
                try await recordWritten(intent, page.id, untitledNumber: number, began: began)
            }
            guard let failure else { return .settled }
            switch try await next(after: failure, intent, attempt: &attempt) {
            case .again: continue
            case .done: return .settled
            case .unknown: return .unknown(since: .now)
            case .recreate:
                var ending = Ending.settled
                try await run.proof.whileTrying {
                    ending = try await create(idempotencyKey: UUID.random())
                    return ending == .settled
                }
                return ending
            }
        }
    }

    private func intent(_ operation: Intent.Operation, page: String?, key: UUID) -> Intent {
        Intent(
            noteID: note.id,
            operation: operation,
            pageID: page,
            idempotencyKey: key,
            hash: hash,
            modifiedAt: note.modifiedAt,
            databaseID: run.databaseID,
            replaced: known.intent?.request,
            isTrial: isTrial,
            openFor: run.requestWindow
        )
    }

    /// Commits the intent, makes the call and records what came of it, when the writer may be called and there is a
    /// free slot. The slot is free again when the outcome is durable, so that a crash leaves at most one unknown write
    /// a slot; and when the others are held back if they must be, so that none of them calls in between.
    ///
    /// - Parameter record: is told of a success and when its call began; gives the slot back.
    /// - Returns: how the call failed; nil if it did not.
    private func call<Value>(
        _ intent: Intent,
        _ send: (NotionWriterClient.CallContext) async throws(NotionWriterClient.Failure) -> Value,
        record: (Value, ContinuousClock.Instant) async throws -> Void
    ) async throws -> NotionWriterClient.Failure? {
        let notAfter = try await run.enterSlot(with: intent)
        let began = ContinuousClock.now
        let value: Value
        do throws(NotionWriterClient.Failure) {
            guard run.context.lease.loss == nil else {
                throw NotionWriterClient.Failure(fault: .aborted, message: "The job was taken from this worker.")
            }
            let context = run.call(notAfter: notAfter)
            value = try await send(context)
        } catch {
            await holdBackOthers(error, began: began)
            defer { run.leaveSlot() }
            try await recordFailedCall(error, intent)
            return error
        }
        await run.gate.callEnded(began: began, run.context)
        run.health.succeeded(began: began)
        run.proof.proved()
        try await record(value, began)
        return nil
    }
}
