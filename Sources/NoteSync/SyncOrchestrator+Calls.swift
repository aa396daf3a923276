internal import FlowControl
internal import JobQueue
internal import Logging
internal import Postgres
internal import Support

/// Calls of the Keep Extractor, and what their failures say of it.
extension SyncOrchestrator {
    /// Logs in and fetches the notes. An extractor that has restarted, or another of several, has forgotten the login;
    /// then once more.
    func fetch(_ run: SyncRun, since: KeepTimestamp?, through gate: CallGate) async throws -> NoteListFile {
        let username = run.context.job.userID.rawValue
        let limit = configuration.noteLimit
        let extractor = extractor
        for _ in 1...2 {
            // Says nothing of the fetch.
            try await call(run, gate, provesPeer: false) {
                try await watch.hear(out: .keepExtractor) {
                    try await extractor.authenticate(
                        username: username,
                        credentials: run.credentials,
                        traceparent: run.trace.traceparent()
                    )
                }
            }
            await run.journal.begin(LogLine(level: .info, message: "Logged in to Google Keep."))
            let fetching = PeerWatch.LongCall(caller: run.gates.account)
            let fetch = try await call(run, gate) {
                try await watch.hear(out: .keepExtractor, fetching) {
                    try await extractor.fetchNotes(
                        username: username,
                        since: since,
                        limit: limit,
                        traceparent: run.trace.traceparent(),
                        progress: fetching.progress
                    )
                }
            }
            if case .notes(let list) = fetch { return list }
            run.context.logger.notice("The Keep Extractor has forgotten the login; logging in again.")
        }
        throw NoteSyncError(
            .loginFailed,
            .transient(),
            "The Keep Extractor forgets its login between two calls (401 twice). It restarts, or several replicas stand behind "
                + "KEEP_EXTRACTOR_URL without sticky sessions."
        )
    }

    /// Makes a call of the Keep Extractor, which is cut short when the worker stops: it changes nothing.
    ///
    /// - Parameter provesPeer: whether its success shows that the extractor works.
    /// - Throws: what `send` throws; where that closes a gate, the job is snoozed until it opens.
    func call<Value: Sendable>(
        _ run: SyncRun,
        _ gate: CallGate,
        provesPeer: Bool = true,
        _ send: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await gate.pass(run.context) { try run.check() }
        let began = ContinuousClock.now
        do {
            let value = try await run.context.unlessStopped(send)
            await gate.callEnded(began: began, provesPeer: provesPeer, run.context)
            return value
        } catch let error as NoteSyncError {
            gate.callFailed()
            guard let request = error.pauseRequest else {
                let outage = await outage(behind: error, began: began, provesPeer: provesPeer, gate, run)
                // Who is interrupted has not found out that it is the job's own fault.
                if outage == nil { try run.check() }
                throw outage ?? error
            }
            if request.isOfPeer {
                await gate.refusedByPeer(retryAfter: request.wait, began: began, reason: error.message, run.context)
            } else {
                await gate.refused(run.gates.account, retryAfter: request.wait, began: began, reason: error.message)
            }
            guard let closing = gate.closing else { throw error }
            throw CallGate.snooze(closing)
        } catch {
            gate.callFailed()
            throw error
        }
    }

    /// Why the job is put off where a call has failed because the extractor is out of order; nil where it is the job's
    /// own matter.
    func outage(
        behind error: NoteSyncError,
        began: ContinuousClock.Instant,
        provesPeer: Bool,
        _ gate: CallGate,
        _ run: SyncRun
    ) async -> NoteSyncError? {
        guard case .transient = error.disposition else { return nil }
        switch error.code {
        case .unreachable, .peerFailed, .malformedAnswer:
            let failure = CallGate.PeerFailure(
                isUnreached: error.code == .unreachable,
                isSilence: error.isSilence,
                began: began,
                reason: error.message,
                lasted: .now - began,
                isExplained: error.isExplained
            )
            if let outage = await gate.peerFailed(failure) { return outage }
            return await gate.outageAfterSettling(run.context, failure)
        default:
            // It has answered.
            if provesPeer { await flow.succeeded(.keepExtractor, began: began) }
            return nil
        }
    }

    /// What a peer that was out of order shows of itself, found out by a call that changes nothing. Who probes has no
    /// time for more.
    func condition(of peer: Peer, _ run: SyncRun) async throws -> PeerCondition {
        let (extractor, writer) = (extractor.probing, run.writer.probing)
        return try await run.context.unlessStopped {
            switch peer {
            case .keepExtractor:
                return try await extractor.condition(
                    byLoginOf: run.context.job.userID.rawValue,
                    credentials: run.credentials,
                    traceparent: run.trace.traceparent()
                )
            case .notionWriter:
                do throws(NotionWriterClient.Failure) {
                    try await writer.reachNotion(by: .create, run.call(notAfter: .now + run.sendingSlack))
                    return .well
                } catch {
                    if error.fault == .aborted { throw CancellationError() }
                    return error.fault == .unreachable ? .unreached : error.isSilence ? .silent : .ill
                }
            }
        }
    }

    /// An outage of the writer for all is to leave no note held: what it has made unknown in this run does not count
    /// towards the limit.
    func spareUnknownWrites(after error: NoteSyncError, _ context: JobContext) async {
        guard case .outage = error.disposition, error.gate?.peer == .notionWriter else { return }
        do {
            let query = PostgresQuery.spareUnknownWrites(user: context.job.userID, lease: context.job.lease)
            _ = try await context.persistently { try await pool.execute(query) }
        } catch {
            context.logger.info(
                "Unknown outcomes of an outage count as others do.",
                metadata: ["error": "\(error)"]
            )
        }
    }
}
