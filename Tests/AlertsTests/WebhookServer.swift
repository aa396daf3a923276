import Foundation
import Synchronization

/// A webhook on 127.0.0.1 that answers with the statuses it was given, in order; 0 leaves the request unanswered.
final class WebhookServer: Sendable {
    struct Failure: Error {
        let number: Int32
    }

    private struct State {
        var statuses: [Int]
        var requests: [String] = []
        var connections: Set<Int32> = []
    }

    let url: String
    private let listener: Int32
    private let state: Mutex<State>

    init(statuses: [Int]) throws {
        state = Mutex(State(statuses: statuses))
        let (listener, port) = try Self.listenOnFreePort()
        self.listener = listener
        url = "http://127.0.0.1:\(port)/services/T0/secret-path"
        Thread { [self] in acceptAll() }.start()
    }

    private static func listenOnFreePort() throws -> (descriptor: Int32, port: UInt16) {
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
        guard let port, listen(descriptor, 16) == 0 else { throw Failure(number: errno) }
        return (descriptor, port)
    }

    var requests: [String] { state.withLock { $0.requests } }

    func stop() {
        state.withLock { state in
            shutdown(listener, Int32(SHUT_RDWR))
            for descriptor in state.connections { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    private func acceptAll() {
        defer { close(listener) }
        while true {
            let descriptor = accept(listener, nil, nil)
            guard descriptor >= 0 else { return }
            _ = state.withLock { $0.connections.insert(descriptor) }
            Thread { [self] in
                serve(descriptor)
                state.withLock { state in
                    state.connections.remove(descriptor)
                    close(descriptor)
                }
            }.start()
        }
    }

    private func serve(_ descriptor: Int32) {
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            text += String(decoding: buffer[..<count], as: UTF8.self)
            // The whole request is there when its JSON object has closed.
            guard text.contains("\r\n\r\n"), text.hasSuffix("}") else { continue }
            let status = state.withLock { state in
                state.requests.append(text)
                return state.statuses.isEmpty ? 200 : state.statuses.removeFirst()
            }
            text = ""
            guard status != 0 else { continue }
            let answer = Array("HTTP/1.1 \(status) X\r\nContent-Length: 0\r\n\r\n".utf8)
            _ = answer.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        }
    }
}
