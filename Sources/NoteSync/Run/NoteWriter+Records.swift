internal import FlowControl
internal import Foundation
internal import JobQueue
internal import Logging
internal import Support

extension NoteWriter {
    private func page(_ id: String, untitledNumber: Int?, _ origin: PageRecord.Origin) -> PageRecord {
        PageRecord(
            noteID: note.id,
            pageID: id,
            modifiedAt: note.modifiedAt,
            hash: hash,
            untitledNumber: untitledNumber,
            databaseID: run.databaseID,
            origin: origin
        )
    }

    private func reference(_ intent: Intent) -> RequestReference {
        RequestReference(noteID: note.id, request: intent.request)
    }

    // MARK: Successes

    /// Records the success of a call that began at `began`, and gives the slot back.
    func recordWritten(
        _ intent: Intent,
        _ pageID: String,
        untitledNumber: Int?,
        began: ContinuousClock.Instant
    ) async throws {
        let origin: PageRecord.Origin =
            switch intent.operation {
            case .create: .created(by: intent.request, key: intent.idempotencyKey, replacing: intent.pageID)
            case .update: .updated(by: intent.request)
            }
        var entry = JournalEntry(
            settled: reference(intent),
            page: page(pageID, untitledNumber: untitledNumber, origin),
            clearedFailure: known.failure != nil ? ClearedFailure(noteID: note.id, afterRequest: true) : nil,
            processed: 1
        )
        entry.succeededCall = began
        let message: String
        switch intent.operation {
        case .create:
            entry.created = 1
            let beside =
                hasDoubtfulCreate ? " An earlier create may have made one beside it. See: syncctl unknown surplus" : ""
            message = "Created page \(pageID).\(beside)"
        case .update:
            entry.updated = 1
            message = "Updated page \(pageID)."
        }
        entry.logs = [LogLine(level: .info, message: message, noteID: note.id)]
        let lost = note.images.count { $0.url == nil }
        if lost > 0 {
            entry.logs.append(
                LogLine(
                    level: .warning,
                    message:
                        "Left out \(lost) of \(note.images.count) \(note.images.count == 1 ? "image" : "images"), which the Keep Extractor could not get.",
                    noteID: note.id
                )
            )
        }
        try await run.recordAndLeaveSlot(entry)
        SyncMetrics.settled(intent.operation, .written)
        run.context.logger.debug("\(message)", metadata: ["note": "\(note.id)"])
    }

    /// Whether a create of unknown outcome was sent for this note before. With a writer that does not know idempotency
    /// keys, or under another key, the page it may have made is not the one that is made now.
    private var hasDoubtfulCreate: Bool {
        known.intent.map { $0.operation == .create && $0.unknownAt != nil } ?? false
    }

    func recordUpToDate() async throws {
        guard let page = pageHere else { return }
        try await run.journal.record(
            JournalEntry(
                page: self.page(
                    page.id,
                    untitledNumber: note.untitledNumber == nil ? nil : page.untitledNumber,
                    .found
                ),
                clearedFailure: known.failure != nil ? ClearedFailure(noteID: note.id) : nil,
                processed: 1,
                upToDate: 1
            )
        )
        SyncMetrics.settled(nil, .upToDate)
    }

    /// A write that is not made again. What a create may have made is a surplus page.
    func recordSuperseded(_ intent: KnownNote.OpenIntent) async throws {
        let message =
            switch intent.operation {
            case .create:
                "An earlier create of this note, whose outcome is unknown, may have made a page beside the one that it has. "
                    + "See: syncctl unknown surplus"
            case .update:
                "An earlier update of this note, whose outcome is unknown, is not sent again: the page has been written since."
            }
        var entry = JournalEntry.log(.warning, message, noteID: note.id)
        entry.superseded = RequestReference(noteID: note.id, request: intent.request)
        try await run.journal.record(entry)
    }

    // MARK: Failures without a call

    /// Waits for an operator; counts as failed so that it is asked for again.
    func recordHeld(_ intent: KnownNote.OpenIntent) async throws {
        let times = intent.unknownCount >= run.configuration.unknownLimit ? " \(Count.times(intent.unknownCount))" : ""
        let message =
            "An earlier write of this note may or may not have happened\(times); it is held for an operator. See: syncctl unknown list"
        try await record(code: "held", message)
    }

    /// The very content was refused before: not sent, and still failed.
    func recordStillRefused(_ failure: KnownNote.Failure) async throws {
        let command = run.context.job.userID.shellCommand("syncctl failed retry")
        await run.journal.note(
            JournalEntry(
                failed: 1,
                logs: [
                    LogLine(
                        level: .warning,
                        message:
                            "Not sent: this content was refused before and has not changed since. If what refused it was mended: "
                            + "\(command). Refused because: \(failure.error)",
                        noteID: note.id
                    )
                ]
            )
        )
        SyncMetrics.settled(pageHere == nil ? .create : .update, .failed)
    }

    /// An earlier write may have happened, and the writer has not proved to be well since.
    ///
    /// - Parameter wait: until it is sent all the same, as it was sent in vain to find out whether the writer is well;
    ///   nil: the next sync may send it.
    func recordNotSentAgain(_ intent: KnownNote.OpenIntent, waitsFor wait: Duration?) async throws {
        let reason = intent.reason.map { " \($0)" } ?? ""
        let command = run.context.job.userID.shellCommand("syncctl unknown retry", ShellWord.quoted(note.id))
        let other =
            wait.map {
                ", once it is edited, or by a sync after \(ClockTime.after($0)); by the next one after: \(command)"
            }
            ?? ""
        let message =
            "An earlier write of this note may or may not have happened; it is sent again once another call of the writer has "
            + "succeeded\(other).\(reason)"
        try await record(code: intent.operation == .create ? "unknownCreate" : "unknownUpdate", message)
    }

    func recordFailure(_ code: String, _ failure: NotionWriterClient.Failure) async throws {
        try await record(code: code, run.clean(failure))
    }

    private func record(code: String, _ message: String) async throws {
        try await run.journal.record(failureEntry(code: code, message))
        tell(code: code, message)
    }

    private func failureEntry(code: String, _ message: String) -> JournalEntry {
        let isRejected = code == FailureRecord.rejectedCode
        return JournalEntry(
            failure: FailureRecord(
                noteID: note.id,
                modifiedAt: note.modifiedAt,
                code: code,
                error: message,
                hash: isRejected ? hash : nil,
                databaseID: isRejected ? run.databaseID : nil
            ),
            failed: 1,
            logs: [LogLine(level: .warning, message: "Note failed: \(message)", noteID: note.id)]
        )
    }

    private func tell(code: String, _ message: String) {
        SyncMetrics.settled(pageHere == nil ? .create : .update, .failed)
        run.context.logger.warning(
            "Note failed.",
            metadata: ["note": "\(note.id)", "code": "\(code)", "error": "\(message)"]
        )
    }

    // MARK: Failed calls

    /// Records what a failed call means for its request and, where it is over with it, for the note.
    func recordFailedCall(_ failure: NotionWriterClient.Failure, _ intent: Intent) async throws {
        switch failure.fault {
        case .ambiguous: try await recordUnknown(intent, run.clean(failure))
        case .rejected: try await recordRejected(failure, intent)
        case .pageGone where intent.operation == .update:
            try await withdraw(intent, .log(.warning, "The page is gone; it is created anew.", noteID: note.id))
        case .pageTrashed where intent.operation == .update: try await recordTrashed(intent)
        case .throttled:
            let seconds = Int((run.gate.closing?.wait ?? .zero).seconds.rounded(.up))
            try await withdraw(intent, .log(.info, "Notion limits the rate; waiting \(seconds) s.", noteID: note.id))
        default: try await withdraw(intent)
        }
    }

    private func recordUnknown(_ intent: Intent, _ reason: String) async throws {
        let isMade = reason.contains(NotionWriterClient.pageExists)
        let doubt = isMade ? "a page was made, and which is not known." : "the page may or may not have been written."
        let message = "Unknown \(intent.operation.rawValue): \(doubt) \(reason)"
        try await run.journal.record(
            JournalEntry(
                unknown: UnknownOutcome(noteID: note.id, request: intent.request, reason: reason),
                logs: [LogLine(level: .warning, message: message, noteID: note.id)]
            )
        )
        run.context.logger.warning(
            "Outcome of a write is unknown.",
            metadata: ["note": "\(note.id)", "operation": "\(intent.operation.rawValue)", "reason": "\(reason)"]
        )
    }

    private func recordRejected(_ failure: NotionWriterClient.Failure, _ intent: Intent) async throws {
        var message = run.clean(failure)
        if failure.isOfProperties {
            message =
                "The Notion database lacks a property that the writer fills, or has it of another type. Give it that property (the "
                + "writer's log names it where this does not), then run: "
                + "\(run.context.job.userID.shellCommand("syncctl failed retry")). \(message)"
        }
        try await withdraw(intent, failureEntry(code: FailureRecord.rejectedCode, message))
        tell(code: FailureRecord.rejectedCode, message)
    }

    /// The page stays in the trash. The tables keep what it shows, and that this edit is not on it.
    private func recordTrashed(_ intent: Intent) async throws {
        guard run.configuration.trashedPages == .leave else {
            let message = "The page is in the trash; a new one is created."
            return try await withdraw(intent, .log(.warning, message, noteID: note.id))
        }
        run.proof.proved()
        let message =
            "The page is in Notion's trash and is left there, without this edit. Once it is back, the note's next change or a full "
            + "sync brings it."
        var entry = JournalEntry.log(.warning, message, noteID: note.id)
        entry.failure = FailureRecord(
            noteID: note.id,
            modifiedAt: note.modifiedAt,
            code: FailureRecord.deferredCode,
            error: message,
            hash: hash,
            databaseID: run.databaseID
        )
        entry.processed = 1
        entry.trashed = 1
        try await withdraw(intent, entry)
        SyncMetrics.settled(.update, .trashed)
    }

    /// The request has certainly not been carried out.
    private func withdraw(_ intent: Intent, _ entry: JournalEntry = JournalEntry()) async throws {
        var entry = entry
        entry.withdrawn = reference(intent)
        try await run.journal.record(entry)
    }
}
