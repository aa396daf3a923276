public import Foundation

/// What came back over one connection, down to how it ended.
public struct WireAnswer: Sendable {
    public enum Ending: Sendable, Equatable {
        /// A whole answer.
        case complete
        /// The connection was closed before the first byte.
        case closedUnanswered
        /// The connection was reset before the first byte.
        case resetUnanswered
        /// The connection ended before the announced end of the body.
        case truncated
    }

    public var ending: Ending
    public var status = 0
    public var headers: [String: String] = [:]
    public var body = Data()

    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as a JSON object.
    public func object() throws -> [String: any Sendable] {
        try JSONSerialization.jsonObject(with: body) as? [String: any Sendable] ?? [:]
    }

    public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: body)
    }

    /// `detail` where it is a string.
    public var detail: String? { try? object()["detail"] as? String }
}

struct WireError: Error { let reason: String }

/// One HTTP/1.1 request on a socket of its own, so that every way of ending a connection can be told apart.
///
/// - Parameter isChunked: whether the body is sent in chunks, without a length.
public func wireRequest(
    port: Int,
    _ method: String,
    _ path: String,
    headers: [String: String] = [:],
    body: String? = nil,
    isChunked: Bool = false
) async throws -> WireAnswer {
    var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    var body = body
    if let text = body {
        let size = text.utf8.count
        let length = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(size)"
        head += "Content-Type: application/json\r\n\(length)\r\n"
        if isChunked { body = "\(String(size, radix: 16))\r\n\(text)\r\n0\r\n\r\n" }
    }
    return try await wireExchange(port: port, head + "\r\n" + (body ?? ""))
}

/// Sends a text over a connection of its own and reads until the server closes that.
///
/// - Parameter patience: longest wait for the next bytes, in whole seconds.
public func wireExchange(
    port: Int,
    _ text: String,
    rest: (text: String, after: Duration)? = nil,
    patience: Int = 60
) async throws -> WireAnswer {
    let request = Array(text.utf8)
    let rest = rest.map { (bytes: Array($0.text.utf8), microseconds: UInt32($0.after / .microseconds(1))) }
    return try await withCheckedThrowingContinuation { continuation in
        // A thread of its own: a blocking read must not hold one that the server needs.
        Thread.detachNewThread {
            continuation.resume(with: Result { try exchange(request, rest, port: UInt16(port), patience) })
        }
    }
}

private func exchange(
    _ request: [UInt8],
    _ rest: (bytes: [UInt8], microseconds: UInt32)?,
    port: UInt16,
    _ patience: Int
) throws -> WireAnswer {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw WireError(reason: "socket: \(errno)") }
    defer { close(descriptor) }
    var deadline = timeval(tv_sec: patience, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &deadline, socklen_t(MemoryLayout<timeval>.size))
    guard connectToLoopback(descriptor, port: port) == 0 else { throw WireError(reason: "connect: \(errno)") }
    guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
        throw WireError(reason: "send: \(errno)")
    }
    if let rest {
        usleep(rest.microseconds)
        // Where the connection has been closed, reading says so.
        send(descriptor, rest.bytes, rest.bytes.count, Int32(MSG_NOSIGNAL))
    }
    return try readAnswer(descriptor)
}

/// `connect(2)` to a port of 127.0.0.1.
public func connectToLoopback(_ descriptor: Int32, port: UInt16) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}

private func readAnswer(_ descriptor: Int32) throws -> WireAnswer {
    var received = Data()
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count > 0 {
            received.append(contentsOf: buffer[..<count])
        } else if count == 0 {
            return received.isEmpty ? WireAnswer(ending: .closedUnanswered) : try parse(received)
        } else if errno == ECONNRESET {
            return received.isEmpty ? WireAnswer(ending: .resetUnanswered) : try parse(received)
        } else if errno != EINTR {
            throw WireError(reason: "recv: \(errno) after \(received.count) bytes")
        }
    }
}

private func parse(_ received: Data) throws -> WireAnswer {
    guard let separator = received.range(of: Data("\r\n\r\n".utf8)) else { return WireAnswer(ending: .truncated) }
    let lines = String(decoding: received[..<separator.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    var answer = WireAnswer(ending: .complete, status: Int(lines[0].split(separator: " ")[1]) ?? 0)
    for line in lines.dropFirst() {
        let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
        answer.headers[parts[0].lowercased()] = parts.count > 1 ? parts[1] : ""
    }
    let rest = received[separator.upperBound...]
    if answer.headers["transfer-encoding"] == "chunked" {
        let (body, isWhole) = unchunked(rest)
        answer.body = body
        answer.ending = isWhole ? .complete : .truncated
    } else {
        answer.body = Data(rest)
        let announced = answer.headers["content-length"].flatMap { Int($0) } ?? rest.count
        answer.ending = rest.count == announced ? .complete : .truncated
    }
    return answer
}

private func unchunked(_ data: Data) -> (body: Data, isWhole: Bool) {
    var body = Data()
    var rest = data
    while let lineEnd = rest.range(of: Data("\r\n".utf8)) {
        let line = String(decoding: rest[rest.startIndex..<lineEnd.lowerBound], as: UTF8.self)
        guard let size = Int(line, radix: 16) else { return (body, false) }
        if size == 0 { return (body, true) }
        guard rest.endIndex - lineEnd.upperBound >= size + 2 else { return (body, false) }
        body.append(rest[lineEnd.upperBound..<lineEnd.upperBound + size])
        rest = rest[(lineEnd.upperBound + size + 2)...]
    }
    return (body, false)
}
