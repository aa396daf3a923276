import CurlHTTP
import Foundation
import Support
import Testing

extension HTTPClientTests {
    /// What a caller is told when an exchange fails, above all whether the request may have been sent.
    @Suite(.timeLimit(.minutes(1)))
    struct Failures {
        /// The connection is accepted, the request read, and then what a case does.
        private func failure(
            of request: (String) -> HTTPRequest = { HTTPRequest(url: $0, timeout: .seconds(20)) },
            _ script: @escaping @Sendable (SocketConnection) -> Void
        ) async throws -> CurlHTTPError {
            let server = try SocketServer { connection in
                _ = connection.readRequest()
                script(connection)
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            return try await HTTPClientTests.failure { try await client.execute(request(server.url)) }
        }

        @Test func connectionRefused() async throws {
            let client = HTTPClientTests.makeClient()
            let error = try await HTTPClientTests.failure {
                try await client.execute(HTTPRequest(method: .post, url: "http://127.0.0.1:1/x", body: [1]))
            }
            #expect(error.code == .couldNotConnect)
            #expect(!error.requestMayHaveBeenSent)
            #expect(error.message.hasPrefix("POST http://127.0.0.1:1/x failed: "))
            #expect(client.statistics.transfersFailed == 1)
        }

        @Test func unknownHost() async throws {
            let client = HTTPClientTests.makeClient()
            let error = try await HTTPClientTests.failure {
                try await client.execute(HTTPRequest(url: "http://does-not-exist.invalid/"))
            }
            #expect(error.code == .couldNotResolve)
            #expect(!error.requestMayHaveBeenSent)
        }

        @Test(arguments: [false, true])
        func connectionEndsWithoutAnAnswer(reset: Bool) async throws {
            let error = try await failure { if reset { $0.resetOnClose() } }
            #expect(error.code == .connectionReset)
            #expect(error.requestMayHaveBeenSent)
        }

        @Test(arguments: [false, true])
        func connectionEndsWithinTheResponse(chunked: Bool) async throws {
            let error = try await failure { connection in
                if chunked {
                    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe")
                } else {
                    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
                }
            }
            #expect(error.code == .incompleteResponse)
            #expect(error.requestMayHaveBeenSent)
        }

        @Test(arguments: [
            "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\n",
        ])
        func answerThatIsNotHTTP(text: String) async throws {
            let error = try await failure { $0.send(text) }
            #expect(error.code == .malformedResponse || error.code == .connectionReset, "\(error)")
            #expect(error.requestMayHaveBeenSent)
        }

        @Test(arguments: [1, 10])
        func deadlineOfASilentOrSlowServer(bytesPerWrite: Int) async throws {
            let clock = ContinuousClock()
            let start = clock.now
            let error = try await failure(of: { HTTPRequest(method: .post, url: $0, timeout: .milliseconds(300)) }) {
                connection in
                guard bytesPerWrite > 1 else { return connection.waitForClose() }
                // A drip: always alive, never done. Ends when the client has hung up.
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                var descriptor = pollfd(fd: connection.descriptor, events: Int16(POLLIN), revents: 0)
                while poll(&descriptor, 1, 20) == 0 {
                    guard connection.send(String(repeating: "x", count: bytesPerWrite)) else { return }
                }
            }
            #expect(error.code == .timedOut)
            #expect(error.requestMayHaveBeenSent)
            let elapsed = clock.now - start
            #expect(elapsed >= .milliseconds(290) && elapsed < .seconds(5), "\(elapsed)")
        }

        @Test func deadlineWhileWaitingForAConnection() async throws {
            let arrived = Signal()
            let server = try SocketServer { connection in
                _ = connection.readRequest()
                arrived.fire()
                connection.waitForClose()
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient { $0.maximumConnections = 1 }
            let first = Task { try await client.execute(HTTPRequest(url: server.url)) }
            try await arrived.wait()
            let error = try await HTTPClientTests.failure {
                try await client.execute(HTTPRequest(method: .post, url: server.url, timeout: .milliseconds(100)))
            }
            #expect(error.code == .timedOut)
            #expect(!error.requestMayHaveBeenSent)
            first.cancel()
            await #expect(throws: CurlHTTPError.self) { try await first.value }
        }

        @Test func cancellationHangsUpAtOnce() async throws {
            let arrived = Signal()
            let hungUp = Signal()
            let server = try SocketServer { connection in
                _ = connection.readRequest()
                arrived.fire()
                connection.waitForClose()
                hungUp.fire()
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient { $0.maximumConnections = 1 }
            let active = Task { try await client.execute(HTTPRequest(method: .post, url: server.url)) }
            try await arrived.wait()
            let waiting = Task { try await client.execute(HTTPRequest(method: .post, url: server.url)) }
            while client.statistics.waitingTransfers == 0 { await Task.yield() }
            waiting.cancel()
            let unsent = try await HTTPClientTests.failure { try await waiting.value }
            #expect(unsent.code == .cancelled)
            #expect(!unsent.requestMayHaveBeenSent)
            active.cancel()
            let sent = try await HTTPClientTests.failure { try await active.value }
            #expect(sent.code == .cancelled)
            #expect(sent.requestMayHaveBeenSent)
            try await hungUp.wait()
        }

        @Test func taskCancelledBeforehandSendsNothing() async throws {
            let server = try SocketServer { connection in
                while connection.readRequest() != nil { connection.respond() }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await client.execute(HTTPRequest(method: .post, url: server.url))
            }
            let error = try await HTTPClientTests.failure { try await task.value }
            #expect(error.code == .cancelled)
            #expect(!error.requestMayHaveBeenSent)
            #expect(server.requests.isEmpty)
        }

        @Test func whatIsHeardOutOutlivesItsTaskAndEndsByTheSignal() async throws {
            let arrived = Signal()
            let mayAnswer = Signal()
            let server = try SocketServer { connection in
                while let request = connection.readRequest() {
                    arrived.fire()
                    if request.contains("/silent") { return connection.waitForClose() }
                    mayAnswer.waitOnThread()
                    connection.respond()
                }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            let abort = StopSignal()
            let answered = Task {
                try await client.execute(HTTPRequest(method: .post, url: server.url), until: abort)
            }
            try await arrived.wait()
            answered.cancel()
            mayAnswer.fire()
            #expect(try await answered.value.status == 200)

            let silent = Task {
                try await client.execute(HTTPRequest(method: .post, url: server.url + "/silent"), until: abort)
            }
            try await arrived.wait()
            abort.request()
            let sent = try await HTTPClientTests.failure { try await silent.value }
            #expect(sent.code == .cancelled)
            #expect(sent.requestMayHaveBeenSent)
            let unsent = try await HTTPClientTests.failure {
                try await client.execute(HTTPRequest(method: .post, url: server.url), until: abort)
            }
            #expect(unsent.code == .cancelled)
            #expect(!unsent.requestMayHaveBeenSent)
        }

        @Test func shutdownResumesEveryone() async throws {
            let arrived = Signal()
            let server = try SocketServer { connection in
                _ = connection.readRequest()
                arrived.fire()
                connection.waitForClose()
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient { $0.maximumConnections = 4 }
            let tasks = (0..<50).map { _ in
                Task { try await client.execute(HTTPRequest(method: .post, url: server.url)) }
            }
            for _ in 0..<4 { try await arrived.wait() }
            client.shutdown()
            var sent = 0
            for task in tasks {
                let error = try await HTTPClientTests.failure { try await task.value }
                #expect(error.code == .shutDown)
                if error.requestMayHaveBeenSent { sent += 1 }
            }
            #expect(sent == 4)
            let error = try await HTTPClientTests.failure { try await client.execute(HTTPRequest(url: server.url)) }
            #expect(error.code == .shutDown)
            client.shutdown()
        }

        @Test func releasedClientEndsItsConnections() async throws {
            let hungUp = Signal()
            let server = try SocketServer { connection in
                while connection.readRequest() != nil { connection.respond() }
                hungUp.fire()
            }
            defer { server.stop() }
            _ = try await HTTPClientTests.makeClient().execute(HTTPRequest(url: server.url))
            try await hungUp.wait()
        }

        @Test(arguments: [100, 99])
        func bodyLimit(limit: Int) async throws {
            let server = try SocketServer { connection in
                while connection.readRequest() != nil {
                    connection.respond(body: String(repeating: "x", count: 100))
                }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            let request = HTTPRequest(url: server.url, maximumResponseBytes: limit)
            guard limit < 100 else {
                #expect(try await client.execute(request).body.count == 100)
                return
            }
            let error = try await HTTPClientTests.failure { try await client.execute(request) }
            #expect(error.code == .responseTooLarge)
            #expect(error.message.contains("99 bytes"))
        }

        @Test(arguments: ["many", "long", "huge", "endless"])
        func headerLimits(kind: String) async throws {
            let error = try await failure { connection in
                connection.send("HTTP/1.1 200 OK\r\n")
                switch kind {
                case "many": for index in 0..<10_000 where connection.send("X-\(index): 1\r\n") {}
                case "long": connection.send("X-Long: " + String(repeating: "y", count: 70_000) + "\r\n\r\n")
                case "huge": connection.send("X-Huge: " + String(repeating: "y", count: 1_000_000) + "\r\n\r\n")
                default: while connection.send("\r\nHTTP/1.1 100 Continue\r\n") {}
                }
                connection.waitForClose()
            }
            #expect(error.code == .responseTooLarge, "\(error)")
            #expect(!error.message.contains("memory"), "\(error)")
        }

        @Test(arguments: [
            "", "nonsense", "/path", "ftp://host/", "file:///etc/passwd", "http://", "http://ho st/", "http://h:99999/",
            "http://host/\u{0}", "http://host/\r\nX: 1",
        ])
        func urlThatCannotBeUsed(url: String) async throws {
            let client = HTTPClientTests.makeClient()
            let error = try await HTTPClientTests.failure { try await client.execute(HTTPRequest(url: url)) }
            #expect(error.code == .invalidRequest)
            #expect(!error.requestMayHaveBeenSent)
        }

        @Test(arguments: [
            HTTPRequest(method: HTTPMethod(rawValue: "GET / HTTP/1.1\r\nX:"), url: "http://127.0.0.1:1"),
            HTTPRequest(url: "http://127.0.0.1:1", headers: ["X": "a\r\nY: b"]),
            HTTPRequest(url: "http://127.0.0.1:1", headers: ["X Y": "a"]),
            HTTPRequest(url: "http://127.0.0.1:1", headers: ["content-length": "3"]),
            HTTPRequest(url: "http://127.0.0.1:1", traceparent: "a\nb"),
            HTTPRequest(url: "http://127.0.0.1:1", timeout: .zero),
        ])
        func requestThatCannotBeSent(request: HTTPRequest) async throws {
            let client = HTTPClientTests.makeClient()
            let error = try await HTTPClientTests.failure { try await client.execute(request) }
            #expect(error.code == .invalidRequest)
        }

        @Test func errorsHoldNoSecret() async throws {
            let client = HTTPClientTests.makeClient()
            let error = try await HTTPClientTests.failure {
                try await client.execute(
                    HTTPRequest(
                        method: .post,
                        url: "http://alice:secret1@127.0.0.1:1/path?token=secret2&secret3#secret4",
                        headers: ["Authorization": "secret5"],
                        body: Array("secret6".utf8)
                    )
                )
            }
            #expect(!"\(error) \(String(reflecting: error))".contains("secret"))
            #expect(error.message.contains("http://127.0.0.1:1/path?token=…&…"))
            let invalid = try await HTTPClientTests.failure {
                try await client.execute(HTTPRequest(url: "ftp://bob:secret@host/?secret"))
            }
            #expect(!"\(invalid)".contains("secret"))
        }
    }
}
