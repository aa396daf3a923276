import CurlHTTP
import Foundation
import Testing

/// Groups the suites that watch sockets and memory, so that they do not disturb one another.
@Suite(.serialized)
enum HTTPClientTests {}

extension HTTPClientTests {
    /// A client for one test that ignores the proxy of the machine it runs on.
    static func makeClient(_ change: (inout HTTPClientConfiguration) -> Void = { _ in }) -> HTTPClient {
        var configuration = HTTPClientConfiguration(usesProxyFromEnvironment: false)
        change(&configuration)
        return HTTPClient(configuration: configuration)
    }

    static func failure(_ body: () async throws -> HTTPResponse) async throws -> CurlHTTPError {
        try #require(await #expect(throws: CurlHTTPError.self) { _ = try await body() })
    }
}

extension HTTPClientTests {
    @Suite(.timeLimit(.minutes(1)))
    struct Exchanges {
        @Test func sendsAndReceives() async throws {
            let server = try SocketServer { connection in
                while connection.readRequest() != nil {
                    connection.respond(201, headers: ["X-Twice: a", "x-twice:  b ", "X-Empty:"], body: "hello")
                }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient { $0.userAgent = "tests/1" }
            let response = try await client.execute(
                HTTPRequest(
                    method: .post,
                    url: server.url + "/path?q=1",
                    headers: ["Content-Type": "application/json", "X-Empty": ""],
                    body: Array("{\"a\":1}".utf8),
                    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
                )
            )
            #expect(response.status == 201)
            #expect(response.isSuccess)
            #expect(response.body == Array("hello".utf8))
            #expect(response.bytesReceived == 5)
            #expect(response.headers["x-TWICE"] == "a")
            #expect(response.headers.values(of: "X-Twice") == ["a", "b"])
            #expect(response.headers["X-Empty"] == "")
            #expect(response.headers["X-Missing"] == nil)
            let request = try #require(server.requests.first)
            #expect(request.hasPrefix("POST /path?q=1 HTTP/1.1\r\n"))
            #expect(request.hasSuffix("\r\n\r\n{\"a\":1}"))
            #expect(request.contains("\r\nContent-Length: 7\r\n"))
            #expect(request.contains("\r\nUser-Agent: tests/1\r\n"))
            #expect(request.contains("\r\nX-Empty:\r\n"))
            #expect(request.contains("\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"))
            #expect(!request.lowercased().contains("expect:"))
            #expect(!request.lowercased().contains("accept-encoding:"))
        }

        @Test(arguments: [HTTPMethod.get, .head, .options, .post, .put, .patch, .delete])
        func methodsWithoutBody(method: HTTPMethod) async throws {
            let server = try SocketServer { connection in
                while let request = connection.readRequest() {
                    if request.hasPrefix("HEAD") {
                        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
                    } else {
                        connection.respond()
                    }
                }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            for _ in 1...2 {
                let response = try await client.execute(HTTPRequest(method: method, url: server.url))
                #expect(response.status == 200)
                #expect(response.body == (method == .head ? [] : Array("ok".utf8)))
            }
            #expect(server.acceptedConnections == 1)
            let request = try #require(server.requests.last)
            #expect(request.hasPrefix("\(method) / HTTP/1.1\r\n"))
            #expect(!request.lowercased().contains("content-type:"))
            #expect(!request.lowercased().contains("transfer-encoding:"))
        }

        @Test func largeBodyArrivesWhole() async throws {
            let server = try SocketServer { connection in
                while let request = connection.readRequest() {
                    connection.respond(body: "\(request.utf8.count { $0 == UInt8(ascii: "z") })")
                }
            }
            defer { server.stop() }
            let body = [UInt8](repeating: UInt8(ascii: "z"), count: 3_000_000)
            let response = try await HTTPClientTests.makeClient().execute(
                HTTPRequest(method: .patch, url: server.url, body: body)
            )
            #expect(String(decoding: response.body, as: UTF8.self) == "3000000")
        }

        @Test func connectionsAreReused() async throws {
            let server = try SocketServer { connection in
                while connection.readRequest() != nil { connection.respond() }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient()
            for index in 0..<20 {
                let method = index % 2 == 0 ? HTTPMethod.get : .post
                let body = index % 2 == 0 ? nil : Array("x".utf8)
                _ = try await client.execute(HTTPRequest(method: method, url: server.url, body: body))
            }
            #expect(server.acceptedConnections == 1)
            let statistics = client.statistics
            #expect(statistics.connectionsOpened == 1)
            #expect(statistics.transfersStarted == 20)
            #expect(statistics.transfersCompleted == 20)
        }

        @Test func redirectIsNotFollowed() async throws {
            let server = try SocketServer { connection in
                while connection.readRequest() != nil { connection.respond(302, headers: ["Location: /other"]) }
            }
            defer { server.stop() }
            let response = try await HTTPClientTests.makeClient().execute(HTTPRequest(url: server.url))
            #expect(response.status == 302)
            #expect(server.requests.count == 1)
        }

        @Test func interimResponsesAreSkipped() async throws {
            let server = try SocketServer { connection in
                while connection.readRequest() != nil {
                    connection.send("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n")
                    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Late: 2\r\n\r\n")
                    connection.send("2\r\nok\r\n0\r\nX-Trailer: 3\r\n\r\n")
                }
            }
            defer { server.stop() }
            let response = try await HTTPClientTests.makeClient().execute(HTTPRequest(url: server.url))
            #expect(response.status == 200)
            #expect(response.body == Array("ok".utf8))
            #expect(response.headers["X-Late"] == "2")
            #expect(!response.headers.contains(name: "X-Early"))
            #expect(!response.headers.contains(name: "X-Trailer"))
        }

        @Test func thousandConcurrentRequestsShareTheConnections() async throws {
            let server = try SocketServer { connection in
                while let request = connection.readRequest() {
                    connection.respond(body: String(request.prefix { $0 != "\r\n" }))
                }
            }
            defer { server.stop() }
            let client = HTTPClientTests.makeClient { $0.maximumConnectionsPerHost = 40 }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<1000 {
                    group.addTask {
                        let request = HTTPRequest(
                            method: .post,
                            url: "\(server.url)/\(index)",
                            body: Array("body".utf8)
                        )
                        let response = try await client.execute(request)
                        #expect(String(decoding: response.body, as: UTF8.self) == "POST /\(index) HTTP/1.1")
                    }
                }
                try await group.waitForAll()
            }
            #expect(server.requests.count == 1000)
            #expect(server.acceptedConnections <= 40)
            #expect(client.statistics.transfersCompleted == 1000)
            #expect(client.statistics.transfersFailed == 0)
        }
    }
}
