import Foundation
import Support

/// A TCP server on 127.0.0.1 whose every byte the test decides: one thread per connection runs the test's script.
final class SocketServer: Sendable {
    struct Failure: Error {
        let call: String
        let number: Int32
    }

    private struct State {
        var connections: [Int32: Bool] = [:]
        var accepted = 0
        var requests: [String] = []
        var isStopped = false
    }

    let port: Int
    private let listener: Int32
    private let state = Mutex(State())

    /// - Parameters:
    ///   - backlog: Connections that the system completes before they are accepted; it takes one more than that.
    ///   - gate: What to wait for before the first connection is accepted.
    ///   - script: Run on a thread for each connection; the connection is closed when it returns.
    init(
        backlog: Int32 = 1024,
        gate: DispatchSemaphore? = nil,
        script: @escaping @Sendable (SocketConnection) -> Void
    ) throws {
        (listener, port) = try Self.listenOnFreePort(backlog: backlog)
        let thread = Thread { [self] in
            gate?.wait()
            acceptAll(script)
        }
        thread.start()
    }

    private static func listenOnFreePort(backlog: Int32) throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer -> UInt16? in
            let isBound = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, size) == 0 && getsockname(descriptor, generic, &size) == 0
            }
            return isBound ? UInt16(bigEndian: pointer.pointee.sin_port) : nil
        }
        guard let port, listen(descriptor, backlog) == 0 else { throw Failure(call: "bind, listen", number: errno) }
        return (descriptor, Int(port))
    }

    var url: String { "http://127.0.0.1:\(port)" }
    var acceptedConnections: Int { state.withLock { $0.accepted } }
    /// Heads and bodies of all requests read to their end.
    var requests: [String] { state.withLock { $0.requests } }

    /// Closes the listener and every connection; scripts see an end of stream.
    func stop() {
        state.withLock { state in
            guard !state.isStopped else { return }
            state.isStopped = true
            shutdown(listener, Int32(SHUT_RDWR))
            for descriptor in state.connections.keys { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    /// Closes the listener alone: new connections are refused from now on.
    func stopListening() {
        state.withLock { state in
            guard !state.isStopped else { return }
            shutdown(listener, Int32(SHUT_RDWR))
        }
    }

    fileprivate func record(_ request: String) {
        state.withLock { $0.requests.append(request) }
    }

    fileprivate func forget(_ descriptor: Int32) {
        state.withLock { state in
            state.connections[descriptor] = nil
            close(descriptor)
        }
    }

    private func acceptAll(_ script: @escaping @Sendable (SocketConnection) -> Void) {
        defer { close(listener) }
        while true {
            let descriptor = accept(listener, nil, nil)
            guard descriptor >= 0 else { return }
            let index = state.withLock { state -> Int? in
                guard !state.isStopped else { return nil }
                state.connections[descriptor] = true
                state.accepted += 1
                return state.accepted
            }
            guard let index else {
                close(descriptor)
                return
            }
            let thread = Thread { [self] in
                script(SocketConnection(descriptor: descriptor, index: index, server: self))
                forget(descriptor)
            }
            thread.stackSize = 256 * 1024
            thread.start()
        }
    }
}

/// The server's end of one connection.
struct SocketConnection: Sendable {
    let descriptor: Int32
    /// 1 for the server's first connection.
    let index: Int
    let server: SocketServer

    /// Head and body of the next request; nil when the client has closed.
    func readRequest() -> String? {
        var bytes: [UInt8] = []
        while true {
            if let head = headLength(bytes) {
                let text = String(decoding: bytes[..<head], as: UTF8.self)
                if bytes.count >= head + contentLength(text) {
                    let request = String(decoding: bytes, as: UTF8.self)
                    server.record(request)
                    return request
                }
            }
            guard let more = readSome() else { return nil }
            bytes += more
        }
    }

    /// Bytes as they come; nil at the end of the stream.
    func readSome(_ count: Int = 64 * 1024) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: count)
        let received = recv(descriptor, &buffer, buffer.count, 0)
        return received > 0 ? Array(buffer[..<received]) : nil
    }

    /// Blocks until the client has closed its end.
    func waitForClose() {
        while readSome() != nil {}
    }

    @discardableResult
    func send(_ text: String) -> Bool {
        send(Array(text.utf8))
    }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    func respond(_ status: Int = 200, headers: [String] = [], body: String = "ok") -> Bool {
        let lines = ["HTTP/1.1 \(status) X", "Content-Length: \(body.utf8.count)"] + headers
        return send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    /// Makes the closing a reset (RST) instead of an orderly end.
    func resetOnClose() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    private func headLength(_ bytes: [UInt8]) -> Int? {
        let end = Array("\r\n\r\n".utf8)
        guard bytes.count >= 4 else { return nil }
        return (0...bytes.count - 4).first { Array(bytes[$0..<$0 + 4]) == end }.map { $0 + 4 }
    }

    private func contentLength(_ head: String) -> Int {
        for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length:") {
            return Int(line.dropFirst("content-length:".count).trimmingCharacters(in: .whitespaces)) ?? 0
        }
        return 0
    }
}
