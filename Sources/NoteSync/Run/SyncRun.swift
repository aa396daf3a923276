internal import Foundation
internal import JobQueue
internal import Logging
internal import Synchronization

/// One job's sync while it is under way: what all its notes share.
final class SyncRun: Sendable {
    let context: JobContext
    let configuration: SyncConfiguration
    let credentials: Credentials
    let writer: NotionWriterClient
    let journal: NoteJournal
    private let slots: NoteSlots
    let trace: TraceContext
    let gate = ThrottleGate()
    let proof = DatabaseProof()
    private let ending = Mutex<(any Error)?>(nil)

    init(
        context: JobContext,
        configuration: SyncConfiguration,
        credentials: Credentials,
        writer: NotionWriterClient,
        journal: NoteJournal,
        workerSlots: ConcurrencyLimiter,
        trace: TraceContext
    ) {
        self.context = context
        self.configuration = configuration
        self.credentials = credentials
        self.writer = writer
        self.journal = journal
        slots = NoteSlots(limit: configuration.noteConcurrency, within: workerSlots)
        self.trace = trace
    }

    /// Why no further note may be begun; the first reason counts. Notes in flight finish.
    var end: (any Error)? { ending.withLock { $0 } }

    func end(_ error: any Error) {
        ending.withLock { $0 = $0 ?? error }
    }

    /// - Throws: why nothing new may be sent: the run ends, the lease is lost, the worker stops.
    func check() throws {
        if let end { throw end }
        try context.check()
    }

    /// Returns when one of the note slots is the caller's, nobody is asked to wait, and the intent is committed. Whoever waits at
    /// the gate takes no slot. The slot is to be given back by `leaveSlot` or `recordAndLeaveSlot`.
    func enterSlot(with intent: JournalEntry) async throws {
        while true {
            try await gate.pass(context)
            let admission = try await slots.enter(with: intent)
            do {
                switch admission {
                case .handedOver(let committed):
                    return try committed.get()
                // The gate may have closed while this one waited for the slot.
                case .free where gate.isClosed:
                    slots.leave()
                case .free:
                    try check()
                    return try await journal.record(intent)
                }
            } catch {
                slots.leave()
                throw error
            }
        }
    }

    func leaveSlot() { slots.leave() }

    /// Returns when what was written is durable. The slot goes to the next note, if that may begin: its intent is committed with
    /// this entry.
    func recordAndLeaveSlot(_ entry: JournalEntry) async throws {
        let mayGoOn = end == nil && context.lease.loss == nil && !context.stop.isRequested && !gate.isClosed
        let next = mayGoOn ? slots.handOver() : nil
        defer { if next == nil { slots.leave() } }
        try await journal.record(entry, handingOverTo: next)
    }

    /// For whom a call is made now, and until when it may be sent.
    func call() -> NotionWriterClient.CallContext {
        NotionWriterClient.CallContext(
            apiToken: credentials.notionToken,
            databaseID: credentials.databaseID,
            traceparent: trace.traceparent(),
            notAfter: context.lease.validUntil
        )
    }
}
