import Foundation
import Support

/// One request as it came in.
public struct ReceivedRequest: Sendable {
    /// Method, target and version.
    public let line: String
    /// By name in lower case.
    public let headers: [String: String]
    public let body: String

    public subscript(header: String) -> String? { headers[header.lowercased()] }

    public func json() throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any] ?? [:]
    }
}

/// A server on 127.0.0.1 that keeps what it is sent and answers as it was told, in order; then with 200.
public final class ScriptedServer: Sendable {
    public enum Answer: Sendable {
        case status(Int, headers: String = "", body: String = "")
        /// 200 with a body that need not be text.
        case bytes([UInt8])
        /// Takes the request and says nothing.
        case hang
        /// Ends the connection by a reset.
        case reset
    }

    private struct Failure: Error {
        let number: Int32
    }

    private struct State {
        var answers: [Answer]
        var requests: [ReceivedRequest] = []
        var connections: Set<Int32> = []
    }

    public let port: UInt16
    private let listener: Int32
    private let state: Mutex<State>

    public init(_ answers: [Answer] = []) throws {
        state = Mutex(State(answers: answers))
        (listener, port) = try Self.listenOnFreePort()
        Thread { [self] in acceptAll() }.start()
    }

    public convenience init(statuses: [Int]) throws {
        try self.init(statuses.map { .status($0) })
    }

    public var url: String { "http://127.0.0.1:\(port)" }
    public var requests: [ReceivedRequest] { state.withLock { $0.requests } }

    public var bodies: [String] { requests.map(\.body) }

    /// Forgets the answers that are left, and gives these.
    public func answer(_ answers: [Answer]) {
        state.withLock { $0.answers = answers }
    }

    public func stop() {
        state.withLock { state in
            shutdown(listener, Int32(SHUT_RDWR))
            for descriptor in state.connections { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
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
        guard let port, listen(descriptor, 64) == 0 else { throw Failure(number: errno) }
        return (descriptor, port)
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
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            bytes += buffer[..<count]
            guard let request = Self.request(in: bytes) else { continue }
            bytes = []
            let answer = state.withLock { state in
                state.requests.append(request)
                return state.answers.isEmpty ? .status(200) : state.answers.removeFirst()
            }
            guard reply(answer, descriptor) else { return }
        }
    }

    /// - Returns: whether the connection goes on.
    private func reply(_ answer: Answer, _ descriptor: Int32) -> Bool {
        switch answer {
        case .hang: return true
        case .reset:
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
            return false
        case .status(let status, let headers, let body):
            return write("HTTP/1.1 \(status) X", headers, Array(body.utf8), descriptor)
        case .bytes(let body):
            return write("HTTP/1.1 200 X", "", body, descriptor)
        }
    }

    private func write(_ line: String, _ headers: String, _ body: [UInt8], _ descriptor: Int32) -> Bool {
        let head = "\(line)\r\nContent-Length: \(body.count)\r\n\(headers)\r\n"
        var rest = (Array(head.utf8) + body)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// The request, once all of it is there.
    private static func request(in bytes: [UInt8]) -> ReceivedRequest? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        let body = String(text[end.upperBound...])
        guard body.utf8.count >= Int(headers["content-length"] ?? "0") ?? 0 else { return nil }
        return ReceivedRequest(line: lines.first ?? "", headers: headers, body: body)
    }
}
