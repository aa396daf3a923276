internal import Foundation
internal import JobQueue

extension NoteWriter {
    /// Sees to it that no further call is made for this job where none may be, or none for a while.
    func holdBackOthers(_ failure: NotionWriterClient.Failure) {
        switch failure.fault {
        case .tokenInvalid, .databaseGone, .notAWriter: run.end(jobError(failure))
        case .throttled(let retryAfter): run.gate.refused(retryAfter: retryAfter)
        default: break
        }
    }

    /// Acts on a failed call.
    ///
    /// - Parameter attempt: number of the try that failed; grows if it counts.
    func after(
        _ failure: NotionWriterClient.Failure,
        _ intent: Intent,
        attempt: inout Int
    ) async throws -> Next {
        switch failure.fault {
        case .tokenInvalid, .databaseGone, .notAWriter:
            try await withdraw()
            return .done
        case .pageGone where intent.operation == .update:
            try await withdraw(.log(.warning, "The page is gone; it is created anew.", noteID: note.id))
            return .recreate
        case .pageTrashed where intent.operation == .update:
            return try await pageIsTrashed(intent)
        case .throttled:
            return try await throttled()
        case .unreachable:
            try await withdraw()
            guard try await backOff(&attempt, atLeast: nil, because: "unreachable") else {
                run.end(jobError(failure))
                return .done
            }
            return .again
        case .unknown(let answered, let retryAfter):
            return try await outcomeIsUnknown(failure, intent, answered, retryAfter, attempt: &attempt)
        case .rejected, .pageGone, .pageTrashed:
            try await recordFailure("rejected", failure, wasRefused: true)
            return .done
        case .brokenOff:
            try await withdraw()
            try run.check()
            throw CancellationError()
        }
    }

    private func outcomeIsUnknown(
        _ failure: NotionWriterClient.Failure,
        _ intent: Intent,
        _ answered: Bool,
        _ retryAfter: Duration?,
        attempt: inout Int
    ) async throws -> Next {
        let reason = run.clean(failure.message, of: note)
        switch (intent.operation, answered) {
        case (.update, true):
            guard try await backOff(&attempt, atLeast: retryAfter, because: "failed_answer") else {
                try await recordFailure("peerFailed", failure, wasRefused: true)
                return .done
            }
            return .again
        case (.update, false):
            // The writer appends: sent again, the content may stand there twice. A later job decides by the policy.
            try await recordUnknown(intent, reason)
            try await recordFailure("unknownUpdate", failure, wasRefused: false)
            return .done
        case (.create, _):
            try await recordUnknown(intent, reason)
            guard run.configuration.unknownCreates == .retry,
                try await backOff(&attempt, atLeast: retryAfter, because: "unknown_create")
            else {
                try await recordFailure("unknownCreate", failure, wasRefused: false)
                return .done
            }
            return .again
        }
    }

    private func pageIsTrashed(_ intent: Intent) async throws -> Next {
        switch run.configuration.trashedPages {
        case .recreate:
            try await withdraw(.log(.warning, "The page is in the trash; a new one is created.", noteID: note.id))
            return .recreate
        case .leave:
            run.proof.proved()
            var entry = settledEntry(pageID: intent.pageID ?? "", untitledNumber: known.page?.untitledNumber)
            entry.page?.isWritten = false
            entry.logs = [
                LogLine(level: .warning, message: "The page is in Notion's trash and is left there.", noteID: note.id)
            ]
            try await run.journal.record(entry)
            SyncMetrics.settled(.update, .trashed)
            return .done
        }
    }

    private func throttled() async throws -> Next {
        let (wait, isOver) = run.gate.standing
        let seconds = Int(wait.seconds.rounded(.up))
        try await withdraw(.log(.info, "Notion limits the rate; waiting \(seconds) s.", noteID: note.id))
        guard isOver else {
            SyncMetrics.retried("throttled")
            return .again
        }
        run.end(NoteSyncError(.throttled, .snooze(max(wait, .seconds(60))), "Notion keeps limiting the rate."))
        return .done
    }

    /// Waits before the next try.
    ///
    /// - Returns: whether there is one.
    private func backOff(
        _ attempt: inout Int,
        atLeast floor: Duration?,
        because reason: String
    ) async throws -> Bool {
        guard attempt < run.configuration.noteAttempts else { return false }
        SyncMetrics.retried(reason)
        let backoff = Backoff(base: run.configuration.noteBackoffBase, cap: run.configuration.noteBackoffCap)
        try await run.context.pause(for: backoff.wait(retry: attempt - 1, atLeast: floor ?? .zero))
        attempt += 1
        return true
    }

    private func jobError(_ failure: NotionWriterClient.Failure) -> NoteSyncError {
        let said = run.clean(failure.message, of: note)
        let user = run.context.job.userID
        switch failure.fault {
        case .tokenInvalid:
            return NoteSyncError(
                .tokenInvalid,
                .permanent,
                "Notion does not accept the token of user \(user). Store a valid one with: syncctl credentials set \(user) --database-id ID. "
                    + said
            )
        case .databaseGone:
            return NoteSyncError(
                .databaseGone,
                .permanent,
                "The Notion database of user \(user) is gone, in the trash or not shared with the integration. Share it "
                    + "again, or store another with: syncctl credentials set \(user) --database-id ID. \(said)"
            )
        case .notAWriter:
            return NoteSyncError(.refusedRequest, .transient(), "\(said). Check NOTION_WRITER_URL.")
        default:
            return NoteSyncError(.unreachable, .transient(), said)
        }
    }
}
