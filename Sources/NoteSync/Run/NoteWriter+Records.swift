internal import Foundation
internal import JobQueue
internal import Logging

extension NoteWriter {
    /// The note's page shows this note.
    func settledEntry(pageID: String, untitledNumber: Int?) -> JournalEntry {
        JournalEntry(
            settledIntent: note.id,
            page: PageRecord(
                noteID: note.id,
                pageID: pageID,
                modifiedAt: note.modifiedAt,
                hash: hash,
                untitledNumber: untitledNumber,
                isWritten: true,
                isKnown: known.page != nil
            ),
            clearedFailure: known.hasFailed ? note.id : nil,
            processed: 1
        )
    }

    /// Records a success and gives the slot back.
    ///
    /// - Parameter shown: what the page shows now. Where that is not the note as it is, the note is not settled yet.
    func recordWritten(
        _ operation: Intent.Operation,
        _ pageID: String,
        untitledNumber: Int?,
        shown: ContentHash
    ) async throws {
        var entry = settledEntry(pageID: pageID, untitledNumber: untitledNumber)
        if shown != hash {
            entry.page?.hash = shown
            entry.clearedFailure = nil
            entry.processed = 0
        }
        let message: String
        switch operation {
        case .create:
            entry.created = 1
            message = "Created page \(pageID)."
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
                    message: "Left out \(lost) of \(note.images.count) images, which the Keep Extractor could not get.",
                    noteID: note.id
                )
            )
        }
        try await run.recordAndLeaveSlot(entry)
        SyncMetrics.settled(operation, .written)
        run.context.logger.debug("\(message)", metadata: ["note": "\(note.id)"])
    }

    func recordUpToDate() async throws {
        guard let page = known.page else { return }
        var entry = settledEntry(pageID: page.id, untitledNumber: page.untitledNumber)
        entry.page?.isWritten = false
        entry.settledIntent = nil
        try await run.journal.record(entry)
        SyncMetrics.settled(nil, .upToDate)
    }

    /// Waits for an operator; counts as failed so that it is asked for again.
    func recordHeld() async throws {
        let message = "An earlier write of this note may or may not have happened; it is held for an operator."
        try await record(code: "held", message, wasRefused: false)
    }

    func recordFailure(
        _ code: String,
        _ failure: NotionWriterClient.Failure,
        wasRefused: Bool
    ) async throws {
        try await record(code: code, run.clean(failure.message, of: note), wasRefused: wasRefused)
    }

    private func record(code: String, _ message: String, wasRefused: Bool) async throws {
        try await run.journal.record(
            JournalEntry(
                withdrawnIntent: wasRefused ? note.id : nil,
                failure: FailureRecord(noteID: note.id, modifiedAt: note.modifiedAt, code: code, error: message),
                failed: 1,
                logs: [LogLine(level: .warning, message: "Note failed: \(message)", noteID: note.id)]
            )
        )
        SyncMetrics.settled(known.page == nil ? .create : .update, .failed)
        run.context.logger.warning(
            "Note failed.",
            metadata: ["note": "\(note.id)", "code": "\(code)", "error": "\(message)"]
        )
    }

    func recordUnknown(_ intent: Intent, _ reason: String) async throws {
        let message = "Unknown \(intent.operation.rawValue): the page may or may not have been written. \(reason)"
        try await run.journal.record(
            JournalEntry(
                unknown: (note.id, reason),
                logs: [LogLine(level: .warning, message: message, noteID: note.id)]
            )
        )
        SyncMetrics.unknown(intent.operation)
        run.context.logger.warning(
            "Outcome of a write is unknown.",
            metadata: ["note": "\(note.id)", "operation": "\(intent.operation.rawValue)", "reason": "\(reason)"]
        )
    }

    /// The write has certainly not happened, this time.
    func withdraw(_ entry: JournalEntry = JournalEntry()) async throws {
        var entry = entry
        entry.withdrawnIntent = note.id
        try await run.journal.record(entry)
    }
}
