import CurlHTTP
import Foundation
import Testing

extension HTTPClientTests {
    /// A request that changes something is given to a server once, whatever becomes of the connection.
    @Suite(.timeLimit(.minutes(1)))
    struct SingleSending {
        @Test(arguments: ["payload", ""], [false, true])
        func requestSwallowedOnKeptAliveConnection(body: String, reset: Bool) async throws {
            let server = try SocketServer { connection in
                while let request = connection.readRequest(), !request.hasPrefix("POST /second") {
                    connection.respond()
                }
                if reset { connection.resetOnClose() }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            _ = try await client.execute(HTTPRequest(method: .post, url: server.url + "/first", body: Array("1".utf8)))
            let error = try await HTTPClientTests.failure {
                try await client.execute(
                    HTTPRequest(method: .post, url: server.url + "/second", body: Array(body.utf8))
                )
            }
            #expect(error.code == .connectionReset)
            #expect(error.requestMayHaveBeenSent)
            #expect(error.reason.hasPrefix("the request had been sent"), "\(error.reason)")
            // The connection still works for others, and this answer proves that nothing else is on its way.
            _ = try await client.execute(HTTPRequest(url: server.url + "/third"))
            #expect(server.requests.filter { $0.contains("/second") }.count == 1)
        }

        /// The server that has the request listens no more: curl's words are of a connection that could not be made.
        @Test(arguments: ["payload", ""], [false, true])
        func requestSwallowedByAServerThatStops(body: String, reset: Bool) async throws {
            let server = try SocketServer { connection in
                while let request = connection.readRequest(), !request.hasPrefix("POST /second") {
                    connection.respond()
                }
                connection.server.stopListening()
                if reset { connection.resetOnClose() }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            _ = try await client.execute(HTTPRequest(method: .post, url: server.url + "/first", body: Array("1".utf8)))
            let error = try await HTTPClientTests.failure {
                try await client.execute(
                    HTTPRequest(method: .post, url: server.url + "/second", body: Array(body.utf8))
                )
            }
            #expect(error.code == .connectionReset)
            #expect(error.requestMayHaveBeenSent)
            #expect(error.reason.hasPrefix("the request had been sent"), "\(error.reason)")
            #expect(!error.message.contains("Check that the service runs"), "\(error.message)")
            #expect(server.requests.filter { $0.contains("/second") }.count == 1)
        }

        @Test func safeRequestIsRepeatedOnAFreshConnection() async throws {
            let server = try SocketServer { connection in
                _ = connection.readRequest()
                connection.respond()
                if connection.index == 1 {
                    _ = connection.readRequest()
                } else {
                    connection.waitForClose()
                }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            _ = try await client.execute(HTTPRequest(url: server.url))
            let response = try await client.execute(HTTPRequest(url: server.url + "/again"))
            #expect(response.status == 200)
            #expect(server.acceptedConnections == 2)
        }

        @Test func connectionClosedWhileIdleIsReplaced() async throws {
            let closed = Signal()
            let server = try SocketServer { connection in
                _ = connection.readRequest()
                connection.respond()
                shutdown(connection.descriptor, Int32(SHUT_RDWR))
                closed.fire()
                connection.waitForClose()
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            for index in 1...20 {
                let request = HTTPRequest(method: .post, url: "\(server.url)/\(index)", body: Array("x".utf8))
                let response = try await client.execute(request)
                #expect(response.status == 200)
                try await closed.wait()
            }
            for index in 1...20 {
                #expect(server.requests.filter { $0.hasPrefix("POST /\(index) ") }.count == 1)
            }
        }

        /// The server closes right after each answer, with no signal: every interleaving of the closing with the next
        /// request may happen, and none may show the server a request twice or lose one without an error.
        @Test(arguments: [false, true])
        func closingRacesWithTheNextRequest(reset: Bool) async throws {
            let server = try SocketServer { connection in
                _ = connection.readRequest()
                connection.respond()
                if reset { connection.resetOnClose() }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            for index in 1...300 {
                let request = HTTPRequest(method: .post, url: "\(server.url)/\(index)", body: Array("x".utf8))
                do {
                    _ = try await client.execute(request)
                    #expect(server.requests.filter { $0.hasPrefix("POST /\(index) ") }.count == 1)
                } catch let error as CurlHTTPError {
                    #expect(error.code == .connectionReset || error.code == .incompleteResponse)
                    #expect(server.requests.filter { $0.hasPrefix("POST /\(index) ") }.count <= 1)
                }
            }
        }

        @Test func lateRequestIsHeldBack() async throws {
            let server = try SocketServer { connection in
                while connection.readRequest() != nil { connection.respond() }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            let late = ContinuousClock.now.advanced(by: .milliseconds(-1))
            let error = try await HTTPClientTests.failure {
                try await client.execute(HTTPRequest(method: .post, url: server.url, body: [1], notAfter: late))
            }
            #expect(error.code == .tooLate)
            #expect(!error.requestMayHaveBeenSent)
            let inTime = ContinuousClock.now.advanced(by: .seconds(60))
            _ = try await client.execute(HTTPRequest(method: .post, url: server.url, body: [1], notAfter: inTime))
            #expect(server.requests.count == 1)
        }

        /// The place becomes free only after the request's time has passed.
        @Test func requestThatWaitedTooLongForAConnectionIsHeldBack() async throws {
            let arrived = Signal()
            let server = try SocketServer { connection in
                while connection.readRequest() != nil {
                    arrived.fire()
                    connection.waitForClose()
                }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient { $0.maximumConnectionsPerHost = 1 }
            async let first = HTTPClientTests.failure {
                try await client.execute(HTTPRequest(url: server.url + "/first", timeout: .milliseconds(600)))
            }
            try await arrived.wait()
            let error = try await HTTPClientTests.failure {
                let soon = ContinuousClock.now.advanced(by: .milliseconds(100))
                return try await client.execute(
                    HTTPRequest(method: .post, url: server.url + "/second", body: [1], notAfter: soon)
                )
            }
            #expect(error.code == .tooLate)
            #expect(!error.requestMayHaveBeenSent)
            #expect(try await first.code == .timedOut)
            #expect(server.requests.count == 1)
        }

        /// The server's queue of connections is full, so that connecting takes until the system repeats its first
        /// packet, a second later; the request's time passes meanwhile.
        @Test func requestThatWasLateWhenConnectedIsHeldBack() async throws {
            let gate = DispatchSemaphore(value: 0)
            let server = try SocketServer(backlog: 0, gate: gate) { connection in
                while connection.readRequest() != nil { connection.respond() }
            }
            defer { server.stop() }
            let filler = HTTPClientTests.makeClient()
            let filling = Task { try await filler.execute(HTTPRequest(url: server.url)) }
            // The second of them finds no room: its deadline passes before it is connected.
            let client = HTTPClientTests.makeClient()
            var lateness: CurlHTTPError
            repeat {
                lateness = try await HTTPClientTests.failure {
                    try await client.execute(HTTPRequest(method: .post, url: server.url, timeout: .milliseconds(100)))
                }
                #expect(lateness.code == .timedOut)
            } while lateness.requestMayHaveBeenSent
            let late = Task {
                let soon = ContinuousClock.now.advanced(by: .milliseconds(50))
                let request = HTTPRequest(method: .post, url: server.url + "/late", body: [1], notAfter: soon)
                return try await client.execute(request)
            }
            // Stands in for a wait: it ends after the late request's time has passed.
            _ = try await HTTPClientTests.failure {
                try await client.execute(HTTPRequest(method: .post, url: server.url, timeout: .milliseconds(200)))
            }
            gate.signal()
            let error = try await HTTPClientTests.failure { try await late.value }
            #expect(error.code == .tooLate)
            #expect(!error.requestMayHaveBeenSent)
            _ = try await filling.value
            #expect(!server.requests.contains { $0.contains("/late") })
        }
    }
}
