public import Logging
public import Support

/// What a running job has of its worker.
public struct JobContext: Sendable {
    public let job: ClaimedJob
    /// Closed when the job must stop at once and write nothing more.
    public let lease: LeaseGuard
    /// Set when the job should finish what is in flight and return `JobOutcome.released`. A job that sets it stops its
    /// worker.
    public let stop: StopSignal
    /// Set when the process ends at once, and what is in flight with it. A lease that is lost does not set it.
    public let abort: StopSignal
    /// Carries the job's and the user's identifiers.
    public let logger: Logger

    public init(
        job: ClaimedJob,
        lease: LeaseGuard,
        stop: StopSignal,
        abort: StopSignal = StopSignal(),
        logger: Logger
    ) {
        self.job = job
        self.lease = lease
        self.stop = stop
        self.abort = abort
        self.logger = logger
    }

    /// - Throws: `JobQueueError` with code `leaseLost` or `stopping` if nothing new may be begun; `CancellationError`.
    public func check() throws {
        try lease.check()
        try Task.checkCancellation()
        if stop.isRequested {
            throw JobQueueError(.stopping, "The worker stops.")
        }
    }

    /// Waits, but not past the wish to stop.
    ///
    /// - Throws: as `check()`.
    public func pause(for duration: Duration) async throws {
        try check()
        try await unlessStopped { try await DeadlineQueue.shared.sleep(for: duration) }
    }

    /// Does work that may be broken off at any point without loss, and breaks it off when the worker stops.
    ///
    /// - Parameter end: set when it is to be broken off for a reason of the caller's own.
    /// - Throws: what `body` throws; if it was broken off, `JobQueueError` with code `stopping`, or `CancellationError`
    ///   where only `end` was set.
    public func unlessStopped<Value: Sendable>(
        or end: StopSignal? = nil,
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            for signal in [stop, end].compactMap(\.self) {
                group.addTask {
                    await signal.untilRequested()
                    return nil
                }
            }
            defer { group.cancelAll() }
            if let value = try await group.next() ?? nil { return value }
            try check()
            throw CancellationError()
        }
    }
}

/// Runs one job to its outcome. Its task is cancelled when the lease is lost or the process ends; what it then returns
/// is thrown away.
public typealias JobHandler = @Sendable (JobContext) async -> JobOutcome
