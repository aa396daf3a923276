import ArgumentParser
import Dispatch
import Foundation
import Postgres
import Support
import UnixSignals

/// Ends a command at SIGINT, SIGTERM and SIGHUP: what the database does for it is cancelled there, so that nothing is
/// carried out behind the back of somebody who has gone, and what became of its change is said.
struct Interruption: Sendable {
    let session: DatabaseSession
    /// As ``DatabaseCommand/outcomeCheck``.
    let outcomeCheck: String?
    let rightsAdvice: String

    /// Does the work of a command, to its end or to the first signal.
    ///
    /// - Throws: what `body` throws; after a signal what became of the command.
    func ending(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let work = Task { try await body() }
        let trap = SignalTrap { signal, isFirst in
            work.cancel()
            if isFirst { endWhenIdle(signal) } else { end(signal, because: unknown) }
        }
        let result = await work.result
        guard let signal = trap.close() else { return try result.get() }
        throw outcome(of: result, signal)
    }

    /// What is said of a command that a signal has ended.
    private func outcome(of result: Result<Void, any Error>, _ signal: Int32) -> any Error {
        let code = SyncControlError.Code(status: ExitStatus(signal: signal))
        switch result {
        case .success:
            return SyncControlError(
                code,
                outcomeCheck == nil ? "Interrupted." : "Interrupted when it was done already."
            )
        case .failure(let error as ExitCode): return error
        case .failure(let error) where error.isCancellation: return SyncControlError(code, cancelled, cause: error)
        case .failure(let error):
            let failure = Failure(error, rightsAdvice: rightsAdvice, outcomeCheck: outcomeCheck)
            return SyncControlError(code, "Interrupted. \(failure.message)", cause: error)
        }
    }

    private var cancelled: String {
        guard outcomeCheck != nil else { return "Interrupted." }
        return session.changes.mayHaveChanged ? unknown : "Interrupted. Nothing was changed."
    }

    private var unknown: String {
        guard let outcomeCheck else { return "Interrupted." }
        return
            "Interrupted. What was asked for may have been done, in part or not at all. Look before you do it again: "
            + outcomeCheck
    }

    private static let idleCheck = DispatchTimeInterval.milliseconds(300)

    /// Ends the program where its command does not end by itself, as it waits for a person or for standard input. Not
    /// while a statement is under way, which the server is asked to cancel.
    private func endWhenIdle(_ signal: Int32) {
        SignalTrap.queue.asyncAfter(deadline: .now() + Self.idleCheck) {
            guard session.pool.statistics.inUse == 0 else { return endWhenIdle(signal) }
            end(signal, because: cancelled)
        }
    }

    private func end(_ signal: Int32, because message: String) {
        StandardStream.error.note("syncctl: \(message)")
        exit(ExitStatus(signal: signal).rawValue)
    }
}

/// The signals that ask the program to stop, heard on a queue of its own: the threads of tasks may all be taken by one
/// that reads from a person.
private final class SignalTrap: Sendable {
    static let queue = DispatchQueue(label: "syncctl.signals")

    private struct State {
        var first: (signal: Int32, at: ContinuousClock.Instant)?
        var isClosed = false
    }

    /// A second signal that comes so soon belongs to the first: some supervisors send two.
    private static let sameAct = Duration.milliseconds(100)

    private let state = Mutex(State())
    // Set once, before any of them can fire, and kept as long as they may.
    private nonisolated(unsafe) var sources: [any DispatchSourceSignal] = []

    /// - Parameter heard: what to do, with whether it is the first signal; not called after `close`.
    init(heard: @escaping @Sendable (Int32, Bool) -> Void) {
        for trapped in StopSignals.all.map(\.rawValue) {
            // Its default would end the process before the source hears of it.
            signal(trapped, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: trapped, queue: Self.queue)
            source.setEventHandler { [self] in
                if let isFirst = record(trapped) { heard(trapped, isFirst) }
            }
            source.resume()
            sources.append(source)
        }
    }

    /// - Returns: whether it is the first; nil if it changes nothing.
    private func record(_ signal: Int32) -> Bool? {
        state.withLock { state in
            guard !state.isClosed else { return nil }
            guard let first = state.first else {
                state.first = (signal, .now)
                return true
            }
            return ContinuousClock.now - first.at > Self.sameAct ? false : nil
        }
    }

    /// - Returns: the first signal that was heard.
    func close() -> Int32? {
        state.withLock { state in
            // Whoever has been interrupted ends; until then a second signal ends it at once.
            state.isClosed = state.first == nil
            return state.first?.signal
        }
    }
}

extension Error {
    /// Whether what was asked of the database was cancelled there, or not sent.
    fileprivate var isCancellation: Bool {
        if self is CancellationError { return true }
        guard let error = self as? PostgresError else { return false }
        return error.sqlState == .queryCanceled || error.cause?.isCancellation == true
    }
}

extension ExitStatus {
    /// What the program exits with after a signal that it has heeded.
    init(signal: Int32) {
        switch signal {
        case SIGTERM: self = .terminated
        case SIGHUP: self = .hungUp
        default: self = .interrupted
        }
    }
}
