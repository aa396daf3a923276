internal import FlowControl
internal import Foundation
internal import JobQueue

extension NoteWriter {
    /// Sees to it that no further call is made for this job where none may be, or none for a while; nor for others
    /// where that is so for them too.
    ///
    /// - Parameter began: when the call was made.
    func holdBackOthers(_ failure: NotionWriterClient.Failure, began: ContinuousClock.Instant) async {
        // Before its permit makes room for another.
        await closeGates(failure, began: began)
        await feedBreaker(failure, began: began)
        run.gate.callFailed()
        switch failure.fault {
        case .tokenInvalid, .databaseGone: run.end(jobError(failure))
        // Something in front of the writer answers so while that is deployed.
        case .wrongEndpoint: return await endOfRun(failure, began: began)
        case .unreachable:
            guard run.health.failed() else { return }
            return await endOfRun(failure, began: began)
        // It says nothing of the writer.
        case .tooManyOpenFiles: return run.end(jobError(failure))
        case .ambiguous:
            guard run.health.becameAmbiguous() else { return }
            // The first reason counts: the outage where it is one.
            return await endOfRun(failure, began: began)
        case .throttled, .pageGone, .pageTrashed, .conflict, .rejected, .aborted: break
        }
        run.health.answered()
    }

    /// Ends the run after failures in a row: because of an outage where it is one.
    private func endOfRun(_ failure: NotionWriterClient.Failure, began: ContinuousClock.Instant) async {
        let outage = await run.gate.outageAfterSettling(run.context, peerFailure(failure, began: began))
        do {
            // Who is interrupted has not found out that it is the job's own fault.
            if outage == nil { try run.context.check() }
            run.end(outage ?? jobError(failure))
        } catch {
            run.end(error)
        }
    }

    private func peerFailure(_ failure: NotionWriterClient.Failure, began: ContinuousClock.Instant)
        -> CallGate.PeerFailure
    {
        CallGate.PeerFailure(
            isUnreached: failure.fault == .unreachable,
            isSilence: failure.isSilence,
            began: began,
            reason: run.clean(failure),
            lasted: .now - began,
            isExplained: failure.isExplained
        )
    }

    /// Tells the breaker of the writer what a failed call says of it. A run ends where the writer is out of order.
    private func feedBreaker(_ failure: NotionWriterClient.Failure, began: ContinuousClock.Instant) async {
        switch failure.fault {
        case .unreachable, .ambiguous, .wrongEndpoint:
            if let outage = await run.gate.peerFailed(peerFailure(failure, began: began)) { run.end(outage) }
        // It has answered, whatever it said.
        case .tokenInvalid, .databaseGone, .pageGone, .pageTrashed, .conflict, .rejected, .throttled:
            await run.gate.peerAnswered(began: began)
        case .tooManyOpenFiles, .aborted: break
        }
    }

    /// Closes the gates that the writer's answer asks to be closed.
    private func closeGates(_ failure: NotionWriterClient.Failure, began: ContinuousClock.Instant) async {
        switch failure.fault {
        case .throttled(let retryAfter):
            let reason = failure.limitsWorkspace ? "Notion limits the workspace." : "Notion limits the rate."
            if failure.limitsWorkspace {
                await run.gate.refusedByWorkspace(
                    run.gates,
                    isMember: run.health.hasSucceeded(since: run.began) || known.page?.databaseID == run.databaseID,
                    retryAfter: retryAfter,
                    began: began,
                    reason: reason,
                    run.context
                )
            } else {
                await run.gate.refused(retryAfter: retryAfter, began: began, reason: reason)
            }
        case .ambiguous(let retryAfter?) where retryAfter > .zero && failure.isOfPeer:
            let reason = "The Notion Writer asks to be left alone."
            await run.gate.refusedByPeer(retryAfter: retryAfter, began: began, reason: reason, run.context)
        case .ambiguous(let retryAfter?) where retryAfter > .zero:
            let reason = "The Notion Writer asks for a pause."
            await run.gate.refused(
                retryAfter: min(retryAfter, NoteSyncError.longestPause),
                began: began,
                reason: reason
            )
        default: break
        }
    }

    /// Decides what comes after a failed call, whose outcome is recorded.
    ///
    /// - Parameter attempt: number of the try that failed; grows if it counts.
    func next(
        after failure: NotionWriterClient.Failure,
        _ intent: Intent,
        attempt: inout Int
    ) async throws -> Next {
        switch failure.fault {
        case .tokenInvalid, .databaseGone, .wrongEndpoint, .rejected, .tooManyOpenFiles: return .done
        case .pageGone: return intent.operation == .update ? .recreate : .done
        case .pageTrashed:
            return intent.operation == .update && run.configuration.trashedPages == .recreate ? .recreate : .done
        case .throttled: return try throttled()
        case .unreachable:
            guard try await backOff(&attempt, atLeast: nil, because: "unreachable") else {
                await endOfRun(failure, began: .now)
                return .done
            }
            return .again
        case .conflict:
            guard try await backOff(&attempt, atLeast: nil, because: "conflict") else {
                try await recordFailure("peerFailed", failure)
                return .done
            }
            return .again
        case .ambiguous:
            guard run.configuration.unknownCreates == .retry else {
                try await recordFailure(intent.operation == .create ? "unknownCreate" : "unknownUpdate", failure)
                return .done
            }
            SyncMetrics.retried(intent.operation == .create ? "unknown_create" : "unknown_update")
            return .unknown
        case .aborted:
            try run.check()
            throw CancellationError()
        }
    }

    private func throttled() throws -> Next {
        guard let closing = run.gate.closing, run.gate.isTooLong(closing) else {
            SyncMetrics.retried("throttled")
            return .again
        }
        run.end(CallGate.snooze(closing))
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
        try await run.pause(for: backoff.wait(retry: attempt - 1, atLeast: floor ?? .zero))
        attempt += 1
        return true
    }

    private func jobError(_ failure: NotionWriterClient.Failure) -> NoteSyncError {
        let said = run.clean(failure)
        let user = run.context.job.userID
        switch failure.fault {
        case .tokenInvalid:
            return NoteSyncError(
                .tokenInvalid,
                .permanent,
                "Notion does not accept the token of user \(user). Store a valid one with: "
                    + "\(run.credentials.setCommand(of: user)). \(said)"
            )
        case .databaseGone:
            return NoteSyncError(
                .databaseGone,
                .permanent,
                "The Notion database of user \(user) is gone, in the trash or not shared with the integration. Share it "
                    + "again, or store another with: "
                    + "\(user.shellCommand("syncctl credentials set", "--database-id ID")). \(said)"
            )
        case .tooManyOpenFiles:
            return .tooManyOpenFiles(said)
        case .wrongEndpoint:
            return NoteSyncError(.refusedRequest, .transient(), "\(said). Check NOTION_WRITER_URL.")
        case .ambiguous(let retryAfter):
            return NoteSyncError(
                .peerFailed,
                .transient(notBefore: retryAfter.map { min($0, NoteSyncError.longestPause) }),
                "The Notion Writer is ill: what became of the last writes is not known, and none succeeded between them. \(said)"
            )
        default:
            return NoteSyncError(.unreachable, .transient(), said)
        }
    }
}
