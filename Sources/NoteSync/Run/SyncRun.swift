internal import FlowControl
internal import Foundation
internal import JobQueue
internal import Logging
internal import Support

/// One job's sync while it is under way: what all its notes share.
final class SyncRun: Sendable {
    let context: JobContext
    let configuration: SyncConfiguration
    let credentials: Credentials
    let databaseID: NotionDatabaseID
    let hasher: ContentHasher
    let writer: NotionWriterClient
    let journal: NoteJournal
    private let slots: NoteSlots
    let trace: TraceContext
    let gates: JobGates
    /// What every write passes.
    let gate: CallGate
    let health: WriterHealth
    let proof = DatabaseProof()
    let madePages = MadePages()
    /// The worker's.
    let memory: NoteMemory
    let began = ContinuousClock.now
    private let ending = Mutex<(any Error)?>(nil)
    /// Set when the run has ended.
    private let ended = StopSignal()

    init(
        context: JobContext,
        configuration: SyncConfiguration,
        credentials: Credentials,
        hasher: ContentHasher,
        writer: NotionWriterClient,
        gates: JobGates,
        flow: FlowControl,
        watch: PeerWatch,
        journal: NoteJournal,
        workerSlots: ConcurrencyLimiter,
        memory: NoteMemory,
        trace: TraceContext,
        isWriterInDoubt: Bool
    ) {
        self.context = context
        self.configuration = configuration
        self.credentials = credentials
        databaseID = NotionDatabaseID(credentials.databaseID)
        self.hasher = hasher
        self.writer = writer
        self.gates = gates
        gate = gates.writes(flow, watch)
        self.journal = journal
        self.memory = memory
        slots = NoteSlots(limit: configuration.noteConcurrency, within: workerSlots)
        health = WriterHealth(isInDoubt: isWriterInDoubt, limit: configuration.ambiguousInARow)
        self.trace = trace
    }

    /// Why no further note may be begun; the first reason counts. Notes in flight finish.
    var end: (any Error)? { ending.withLock { $0 } }

    func end(_ error: any Error) {
        ending.withLock { $0 = $0 ?? error }
        ended.request()
    }

    /// - Throws: why nothing new may be sent: the run ends, the lease is lost, the worker stops.
    func check() throws {
        if let end { throw end }
        try context.check()
    }

    /// Waits for what may be broken off at any point without loss, and breaks that off when the run ends.
    ///
    /// - Throws: what `body` throws; as `check()` if it was broken off.
    func unlessEnded<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try check()
        do {
            return try await context.unlessStopped(or: ended, body)
        } catch is CancellationError {
            try check()
            throw CancellationError()
        }
    }

    /// Waits, but not past the end of the run.
    ///
    /// - Throws: as `check()`.
    func pause(for duration: Duration) async throws {
        try await unlessEnded { try await DeadlineQueue.shared.sleep(for: duration) }
    }

    /// Longest time between the commit of an intent and its request's being sent: short beside the call itself.
    var sendingSlack: Duration { min(configuration.sendingSlack, writer.timeout) }

    /// How long after its commit a request may be under way.
    var requestWindow: Duration { writer.timeout + sendingSlack }

    // MARK: Slots

    private static let doubtPause = Duration.milliseconds(50)

    /// Returns when one of the note slots is the caller's, the gates let it call, the writer is well or it is the
    /// caller's turn to find out, and the intent is committed. Whoever waits for the writer takes no slot. The slot is
    /// to be given back by `leaveSlot` or `recordAndLeaveSlot`, and the gate told of the call's end.
    ///
    /// - Returns: the instant until which the request may be sent.
    func enterSlot(with intent: Intent) async throws -> ContinuousClock.Instant {
        let entry = JournalEntry(begun: intent)
        while true {
            try await gate.pass(context) { try check() }
            do {
                if let notAfter = try await enterSlot(with: entry) { return notAfter }
            } catch {
                gate.callOff()
                throw error
            }
            gate.callOff()
            if !gate.isClosed { try await context.pause(for: Self.doubtPause) }
        }
    }

    /// - Returns: nil, and no slot, if nobody may call at this moment.
    private func enterSlot(with entry: JournalEntry) async throws -> ContinuousClock.Instant? {
        try check()
        let admission = try await slots.enter(with: entry)
        do {
            switch admission {
            case .handedOver(let committed): return try committed.get() + sendingSlack
            case .free:
                try check()
                // The gate may have closed while this one waited for the slot.
                if !gate.isClosed, health.admits() { return try await commit(entry) }
                slots.leave()
                return nil
            }
        } catch {
            slots.leave()
            throw error
        }
    }

    private func commit(_ entry: JournalEntry) async throws -> ContinuousClock.Instant {
        do {
            return try await journal.record(entry) + sendingSlack
        } catch {
            health.calledOff()
            throw error
        }
    }

    func leaveSlot() { slots.leave() }

    /// The job was taken from this worker, and its places are for others.
    func leavePlaces() { slots.leavePlaces() }

    /// Returns when what was written is durable. The slot goes to the next note, if that may begin: its intent is
    /// committed with this entry.
    func recordAndLeaveSlot(_ entry: JournalEntry) async throws {
        let canContinue =
            end == nil && context.lease.loss == nil && !context.stop.isRequested && !gate.isClosed && health.isWell
        let next = canContinue ? slots.handOver() : nil
        defer { if next == nil { slots.leave() } }
        try await journal.record(entry, handingOverTo: next)
    }

    // MARK: Calls

    /// For whom a call is made now, and until when it may be sent.
    func call(notAfter instant: ContinuousClock.Instant) -> NotionWriterClient.CallContext {
        NotionWriterClient.CallContext(
            apiToken: credentials.notionToken,
            databaseID: credentials.databaseID,
            traceparent: trace.traceparent(),
            notAfter: min(context.lease.validUntil, instant),
            abort: context.abort
        )
    }

    /// Why the writer does not get through to Notion, found out by a call of this kind that changes nothing.
    ///
    /// - Returns: what was seen, in sentences of ours, as of any failed call; nil: it does.
    func obstacle(before operation: Intent.Operation) async throws -> String? {
        try await gate.pass(context) { try check() }
        let began = ContinuousClock.now
        let context = call(notAfter: began + sendingSlack)
        do throws(NotionWriterClient.Failure) {
            try await writer.reachNotion(by: operation, context)
        } catch {
            gate.callFailed()
            let reason = clean(error)
            self.context.logger.info("The Notion Writer is still ill.", metadata: ["reason": "\(reason)"])
            let mayBeOfPeer = if case .ambiguous = error.fault { true } else { error.fault == .unreachable }
            if mayBeOfPeer {
                let failure = CallGate.PeerFailure(
                    isUnreached: error.fault == .unreachable,
                    isSilence: error.isSilence,
                    began: began,
                    reason: reason
                )
                // Whether that opens the breaker is asked for again before the job ends.
                _ = await gate.peerFailed(failure)
            }
            return reason
        }
        // That it can look something up does not show that it can write.
        await gate.callEnded(began: began, provesPeer: false, self.context)
        return nil
    }
}
