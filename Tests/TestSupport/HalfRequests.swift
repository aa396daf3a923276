import Foundation
import Support

/// Connections that each send half a request; one that is closed is made anew.
public final class HalfRequests: Sendable {
    private struct State {
        var renewed = 0
        var isStopped = false
    }

    private let state = Mutex(State())
    private let count: Int
    private let beginning: [UInt8]
    private let pause: UInt32

    /// - Parameters:
    ///   - beginning: what each connection sends; nothing if empty.
    ///   - pause: between two connections, in microseconds.
    public init(count: Int, port: Int, beginning: String = "GET / HTTP/1.1\r\nHost: localhost\r\nX-", pause: UInt32 = 0)
        throws
    {
        self.count = count
        self.beginning = Array(beginning.utf8)
        self.pause = pause
        Thread.detachNewThread { self.run(UInt16(port)) }
    }

    /// Whether connections were closed by the server since the first time that all were open.
    public var isRenewing: Bool { state.withLock { $0.renewed > count } }

    public func stop() { state.withLock { $0.isStopped = true } }

    private func run(_ port: UInt16) {
        var sockets: [pollfd] = []
        while !state.withLock({ $0.isStopped }) {
            while sockets.count < count, let descriptor = connectHalf(port) {
                sockets.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
                state.withLock { $0.renewed += 1 }
                if pause > 0 { usleep(pause) }
            }
            poll(&sockets, nfds_t(sockets.count), 20)
            sockets.removeAll { socket in
                guard socket.revents != 0 else { return false }
                close(socket.fd)
                return true
            }
        }
        for socket in sockets { close(socket.fd) }
    }

    private func connectHalf(_ port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        guard connectToLoopback(descriptor, port: port) == 0 else {
            close(descriptor)
            return nil
        }
        if !beginning.isEmpty { send(descriptor, beginning, beginning.count, Int32(MSG_NOSIGNAL)) }
        return descriptor
    }
}
