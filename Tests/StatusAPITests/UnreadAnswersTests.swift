import Foundation
import Postgres
import SyncSchema
import TestSupport
import Testing

/// Visitors who send whole requests, many ahead, and take no answers.
@Suite("Answers that nobody takes", .migrated)
struct UnreadAnswersTests {
    /// From four addresses, as one has no more than a quarter of the connections.
    @Test func keepNobodyFromTheirs() async throws {
        try await StatusFixture.with { fixture in
            let port = try fixture.port
            let before = try fixture.server.peakMemory
            let greedy = (1...4).flatMap { address in
                (1...256).compactMap { _ in RawConnection(port, from: "127.0.2.\(address)", receives: 2048) }
            }
            defer { greedy.forEach { $0.end() } }
            #expect(greedy.count == 1024)
            let requests = String(repeating: "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", count: 400)
            for connection in greedy { connection.send(requests) }
            for _ in 1...20 {
                for path in ["/livez", "/health", "/metrics", "/internal/sync/jobs"] {
                    let answer = try await wireRequest(port: port, "GET", path)
                    #expect(answer.ending == .complete && answer.status == 200, "\(path): \(answer)")
                }
            }
            let grown = try fixture.server.peakMemory - before
            #expect(grown < 150, "\(grown) MiB")
        }
    }

    /// What is sent ahead in reason is answered, in its order; who sends more at once is cut off.
    @Test func requestsSentAheadAreAnsweredInOrder() async throws {
        try await StatusFixture.with { fixture in
            func codes(_ paths: [String]) throws -> [Substring] {
                let connection = try #require(RawConnection(try fixture.port))
                defer { connection.end() }
                let requests = paths.map { "GET \($0) HTTP/1.1\r\nHost: localhost\r\n\r\n" }.joined()
                let last = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                connection.send(requests + last)
                return connection.rest().split(separator: "HTTP/1.1 ").map { $0.prefix(3) }.filter { Int($0) != nil }
            }
            let paths = (1...8).flatMap { _ in ["/livez", "/nothing"] }
            let answered = try codes(paths)
            #expect(answered == paths.map { $0 == "/livez" ? "200" : "404" } + ["200"])
            let cutOff = try codes(Array(repeating: "/livez", count: 60))
            #expect(cutOff.count < 60)
        }
    }

    /// What orchestrators and monitors ask for has room of its own, and of the rest no visitor has all.
    @Test func oneVisitorLeavesRoomForOthers() async throws {
        try await StatusFixture.with(["SYNC_DATABASE_CONNECTIONS": "4"]) { fixture in
            let port = try fixture.port
            // Lists wait for the table.
            let lock = try await fixture.database.connect()
            try await lock.runScript("BEGIN; LOCK TABLE sync_jobs")
            let busy = (1...250).compactMap { _ in RawConnection(port, from: "127.0.2.1") }
            defer { busy.forEach { $0.end() } }
            for connection in busy { connection.send("GET /internal/sync/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n") }
            let ready = try await wireRequest(port: port, "GET", "/readyz")
            #expect(ready.text.contains("[+]database ok"), "\(ready.text)")
            #expect(try await wireRequest(port: port, "GET", "/health").status == 200)
            #expect(try await wireRequest(port: port, "GET", "/openapi.json").status == 200, "of another visitor")
            try await lock.runScript("ROLLBACK")
            await lock.close()
        }
    }
}

/// A connection to a port of 127.0.0.1 of which the test decides when anything is read.
private struct RawConnection {
    private let descriptor: Int32

    /// - Parameters:
    ///   - address: one of 127.0.0.0/8.
    ///   - receives: bytes that the system keeps of what is not read, or twice as many.
    init?(_ port: Int, from address: String = "127.0.0.1", receives: Int32? = nil) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        if var receives {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receives, socklen_t(MemoryLayout<Int32>.size))
        }
        var deadline = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &deadline, socklen_t(MemoryLayout<timeval>.size))
        var own = sockaddr_in()
        own.sin_family = sa_family_t(AF_INET)
        own.sin_addr.s_addr = inet_addr(address)
        let isBound = withUnsafePointer(to: &own) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isBound, connectToLoopback(descriptor, port: UInt16(port)) == 0 else {
            close(descriptor)
            return nil
        }
    }

    /// As much as the system takes at once.
    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }

    /// What comes until the connection ends.
    func rest() -> String {
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 { received += buffer[..<count] }
        return String(decoding: received, as: UTF8.self)
    }

    func end() { close(descriptor) }
}
