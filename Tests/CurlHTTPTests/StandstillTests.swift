import CurlHTTP
import Foundation
import Testing

extension HTTPClientTests {
    /// The client's thread stands still past a deadline, as it does when the process is stopped and continued.
    @Suite(.timeLimit(.minutes(1)))
    struct Standstills {
        private let other: SocketServer

        init() throws {
            other = try SocketServer { connection in
                _ = connection.readRequest()
                connection.respond()
            }
        }

        /// Has the client's thread do something, and stand still for a while.
        private func standStill(
            _ client: HTTPClient,
            for seconds: Double,
            after body: @escaping @Sendable () -> Void
        ) async throws {
            let sink = try #require(FileHandle(forWritingAtPath: "/dev/null"))
            let request = HTTPRequest(
                url: other.url,
                downloadRefusal: { _ in
                    body()
                    _ = DispatchSemaphore(value: 0).wait(timeout: .now() + seconds)
                    return nil
                }
            )
            #expect(try await client.download(request, to: sink.fileDescriptor).status == 200)
        }

        @Test(arguments: [true, false]) func anAnswerThatIsThereCounts(_ isWhole: Bool) async throws {
            let arrived = Signal()
            let mayAnswer = Signal()
            let answered = Signal()
            let server = try SocketServer { connection in
                _ = connection.readRequest()
                arrived.fire()
                mayAnswer.waitOnThread()
                if isWhole {
                    connection.respond(201)
                } else {
                    connection.send("HTTP/1.1 201 X\r\nContent-Length: 100\r\n\r\nhalf")
                }
                answered.fire()
                connection.waitForClose()
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            let request = HTTPRequest(method: .post, url: server.url, body: [1], timeout: .seconds(2))
            let answer = Task { try await client.execute(request) }
            try await arrived.wait()
            try await standStill(client, for: 2.1) {
                mayAnswer.fire()
                answered.waitOnThread()
            }
            if isWhole {
                #expect(try await answer.value.status == 201)
            } else {
                let error = try await HTTPClientTests.failure { try await answer.value }
                #expect(error.code == .timedOut)
                #expect(error.requestMayHaveBeenSent)
            }
        }

        /// The server's queue of connections is full until the thread stands still, and the system connects meanwhile.
        @Test func nothingIsSentAfterTheDeadline() async throws {
            let gate = DispatchSemaphore(value: 0)
            let server = try SocketServer(backlog: 0, gate: gate) { connection in
                while connection.readRequest() != nil { connection.respond() }
            }
            defer { server.stop() }
            let filler = HTTPClientTests.makeClient()
            let filling = Task { try await filler.execute(HTTPRequest(url: server.url)) }
            let client = HTTPClientTests.makeClient()
            var lateness: CurlHTTPError
            repeat {
                lateness = try await HTTPClientTests.failure {
                    try await client.execute(HTTPRequest(method: .post, url: server.url, timeout: .milliseconds(100)))
                }
            } while lateness.requestMayHaveBeenSent
            let late = Task {
                let request = HTTPRequest(method: .post, url: server.url + "/late", body: [1], timeout: .seconds(1))
                return try await client.execute(request)
            }
            while client.statistics.activeTransfers == 0 { await Task.yield() }
            // The system repeats its first packet after one second, and again after two more.
            try await standStill(client, for: 4) { gate.signal() }
            let error = try await HTTPClientTests.failure { try await late.value }
            #expect(error.code == .timedOut)
            #expect(!error.requestMayHaveBeenSent)
            _ = try await filling.value
            #expect(!server.requests.contains { $0.contains("/late") })
        }
    }
}
