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
    /// Notes in flight of all jobs of the worker together.
    private let workerSlots: ConcurrencyLimiter
    /// Notes in flight of this job.
    private let slots: ConcurrencyLimiter
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
        self.workerSlots = workerSlots
        slots = ConcurrencyLimiter(limit: configuration.noteConcurrency)
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

    /// Runs `body` when one of the job's note slots, and one of the worker's, is free and nobody is asked to wait. Whoever
    /// waits at the gate takes no slot.
    func inSlot<Value>(_ body: () async throws -> Value) async throws -> Value {
        while true {
            try await gate.pass(context)
            let value: Value? = try await slots.run {
                try await workerSlots.run {
                    // The gate may have closed while this one waited for the slot.
                    gate.isClosed ? nil : .some(try await body())
                }
            }
            if let value { return value }
        }
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
