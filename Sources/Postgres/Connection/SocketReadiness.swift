import Dispatch
import Foundation
import Support

/// The readiness of a socket, reported once for each time it is asked for.
///
/// Each dispatch source watches a duplicate of the descriptor that it closes itself, so libpq may close its own at any
/// moment. Sources stay suspended while nobody waits. Used only on the queue it reports on.
final class SocketReadiness {
    private let reading: SuspendedSource
    private let writing: SuspendedSource
    private let descriptor: Int32

    /// In milliseconds. Who wants to interrupt a statement waits so long at most.
    private static let moment: Int32 = 4

    /// Throws a ``PostgresError`` with code `connectionFailed` if there is no descriptor left.
    init(socket: Int32, queue: DispatchQueue, onReady: @escaping @Sendable () -> Void) throws {
        // Not to be inherited by the programs this one starts, like libpq's own.
        let (forReading, forWriting) = (fcntl(socket, F_DUPFD_CLOEXEC, 0), fcntl(socket, F_DUPFD_CLOEXEC, 0))
        guard forReading >= 0, forWriting >= 0 else {
            if forReading >= 0 { _ = close(forReading) }
            throw PostgresError(
                .connectionFailed,
                "No connection to PostgreSQL can be watched: \(OpenFiles.exhaustion). \(OpenFiles.advice)"
            )
        }
        descriptor = forReading
        reading = SuspendedSource(
            DispatchSource.makeReadSource(fileDescriptor: forReading, queue: queue),
            closing: forReading,
            onReady: onReady
        )
        writing = SuspendedSource(
            DispatchSource.makeWriteSource(fileDescriptor: forWriting, queue: queue),
            closing: forWriting,
            onReady: onReady
        )
    }

    /// Asks for a report once the socket can be read, or also once it can be written. False, and no report to wait for,
    /// if that is so already.
    ///
    /// The socket is looked at after the sources are resumed: on Linux a source loses the end of a connection, and
    /// every event after it, when that comes while the source is suspended.
    func arm(alsoForWriting: Bool) -> Bool {
        reading.resume()
        if alsoForWriting {
            writing.resume()
        }
        return !isReady(alsoForWriting ? POLLIN | POLLOUT : POLLIN)
    }

    /// Waits a moment, on the connection's own thread, for what mostly comes within one: the answer of a server nearby,
    /// with a commit that is flushed to the disk. A report by dispatch takes two threads more and their switches.
    ///
    /// - Returns: whether the socket is ready.
    func becomesReadySoon(alsoForWriting: Bool) -> Bool {
        isReady(alsoForWriting ? POLLIN | POLLOUT : POLLIN, within: Self.moment)
    }

    func disarm() {
        reading.suspend()
        writing.suspend()
    }

    /// Ends the connection under libpq, which then finds it closed at its next read.
    func shutDown() {
        // Fails only if the peer has already ended the connection, which is what is wanted.
        _ = shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Whether there is something to read now: data, or the end of the connection.
    var isReadable: Bool { isReady(POLLIN) }

    private func isReady(_ events: Int32, within milliseconds: Int32 = 0) -> Bool {
        var poller = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&poller, 1, milliseconds) > 0
    }
}

/// A dispatch source that counts its own suspensions, as releasing a suspended one is a crash.
private final class SuspendedSource {
    private let source: any DispatchSourceProtocol
    private var isSuspended = true

    init(
        _ source: some DispatchSourceProtocol,
        closing descriptor: Int32,
        onReady: @escaping @Sendable () -> Void
    ) {
        self.source = source
        source.setEventHandler(handler: onReady)
        source.setCancelHandler { @Sendable in
            _ = close(descriptor)
        }
    }

    deinit {
        resume()
        source.cancel()
    }

    func resume() {
        guard isSuspended else { return }
        isSuspended = false
        source.resume()
    }

    func suspend() {
        guard !isSuspended else { return }
        isSuspended = true
        source.suspend()
    }
}
