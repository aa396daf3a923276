import Dispatch
import Foundation
import Support

/// What can be told of a connection that nobody uses without a turn on its executor, which costs two switches between
/// threads.
final class IdleState: Sendable {
    private let isIdle = Atomic<Bool>(false)
    private let descriptor = Atomic<Int32>(-1)
    /// In nanoseconds of the system's uptime.
    private let lastAnswerAt = Atomic<UInt64>(DispatchTime.now().uptimeNanoseconds)

    deinit {
        let descriptor = descriptor.load(ordering: .relaxed)
        if descriptor >= 0 { _ = close(descriptor) }
    }

    /// Takes a duplicate of the connection's socket, which libpq may close at any moment.
    func watch(_ socket: Int32) {
        // Without one the connection is asked itself, every time.
        descriptor.store(fcntl(socket, F_DUPFD_CLOEXEC, 0), ordering: .releasing)
    }

    /// Says after each exchange whether the connection is sound and in no transaction.
    func set(_ isIdle: Bool) {
        if isIdle { lastAnswerAt.store(DispatchTime.now().uptimeNanoseconds, ordering: .relaxed) }
        self.isIdle.store(isIdle, ordering: .releasing)
    }

    /// How long ago the server was last heard.
    var silence: Duration {
        let last = lastAnswerAt.load(ordering: .relaxed)
        return .nanoseconds(max(DispatchTime.now().uptimeNanoseconds, last) - last)
    }

    /// Whether the connection is surely ready for the next user: sound after its last exchange, and the server has sent
    /// nothing since, not even the end.
    var isSurelyReady: Bool {
        let descriptor = descriptor.load(ordering: .acquiring)
        guard isIdle.load(ordering: .acquiring), descriptor >= 0 else { return false }
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&poller, 1, 0) == 0
    }
}
