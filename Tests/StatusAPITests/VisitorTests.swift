import CurlHTTP
import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import StatusAPI

/// Who may see the page and the lists, and what is open to everybody.
@Suite("Visitors", .migrated)
struct VisitorTests {
    private static let page = ["Accept": "text/html"]
    private static let token = "a-token-of-the-page-1"

    private func status(
        _ fixture: StatusFixture,
        _ path: String,
        hosts: [String],
        headers: [String: String] = [:]
    ) async throws -> Int {
        let fields = headers.map { "\($0): \($1)\r\n" } + hosts.map { "Host: \($0)\r\n" }
        let text = "GET \(path) HTTP/1.1\r\n\(fields.joined())Connection: close\r\n\r\n"
        return try await wireExchange(port: fixture.port, text).status
    }

    @Test func aNameOfSomebodyElseGetsNeitherPageNorLists() async throws {
        try await StatusFixture.with(["SYNC_SERVICE_HOSTS": "Sync.Example.org"]) { fixture in
            let job = try await fixture.insertJob()
            for path in ["/", "/jobs/\(job)", "/internal/sync/jobs"] {
                for host in ["attacker.example", "attacker.example:8005", "127.0.0.1.attacker.example", "[::1", ""] {
                    #expect(
                        try await status(fixture, path, hosts: [host], headers: Self.page) == 421,
                        "\(path) \(host)"
                    )
                }
                #expect(try await status(fixture, path, hosts: [], headers: Self.page) == 421)
                for host in [
                    "localhost:1", "127.0.0.1", "127.8.0.1", "[::1]:80", "sync.example.org.", "SYNC.example.org:443",
                ] {
                    #expect(
                        try await status(fixture, path, hosts: [host], headers: Self.page) == 200,
                        "\(path) \(host)"
                    )
                }
            }
            // Called by whatever the network calls this service.
            for path in ["/internal/sync/status/\(job)", "/health", "/livez", "/metrics", "/", "/openapi.json"] {
                #expect(try await status(fixture, path, hosts: ["syncservice"]) == 200, "\(path)")
            }
        }
    }

    @Test func twoHostFieldsAreRefusedEverywhere() async throws {
        try await StatusFixture.with { fixture in
            for path in ["/", "/livez", "/metrics", "/nowhere"] {
                for second in ["localhost", "attacker.example"] {
                    let answered = try await status(fixture, path, hosts: ["localhost", second])
                    #expect(answered == 400, "\(path)")
                }
            }
            let answered = try await status(fixture, "/livez", hosts: ["localhost"])
            #expect(answered == 200)
        }
    }

    @Test func aTokenIsAskedForByPageAndLists() async throws {
        try await StatusFixture.with(["SYNC_SERVICE_TOKEN": Self.token]) { fixture in
            let job = try await fixture.insertJob()
            func basic(_ text: String) -> String { "Basic " + Data(text.utf8).base64EncodedString() }
            for path in ["/", "/jobs/\(job)", "/internal/sync/jobs"] {
                for wrong in [
                    "", "Bearer", "Bearer \(Self.token)x", "Basic \(Self.token)", basic(Self.token), basic("x:y"),
                ] {
                    let answer = try await fixture.request(
                        path,
                        headers: ["Accept": "text/html", "Authorization": wrong]
                    )
                    #expect(answer.status == 401, "\(path) \(wrong)")
                    #expect(answer.header("WWW-Authenticate") != nil)
                    #expect(!answer.text.contains("anna"))
                }
                for right in ["Bearer \(Self.token)", "bearer  \(Self.token)", basic("me:\(Self.token)")] {
                    let answer = try await fixture.request(
                        path,
                        headers: ["Accept": "text/html", "Authorization": right]
                    )
                    #expect(answer.status == 200, "\(path) \(right)")
                }
            }
            for path in ["/internal/sync/status/\(job)", "/health", "/livez", "/metrics", "/"] {
                #expect(try await fixture.request(path).status == 200, "\(path)")
            }
        }
    }

    @Test func hostsAreReadAsBrowsersWriteThem() {
        let policy = HostPolicy(names: ["fd00::1", "a.example"], host: "0.0.0.0")
        for host in ["[FD00:0::1]:80", "A.example", "0.0.0.0", "10.1.2.3:8005"] {
            #expect(policy.allows(host, localAddress: "::ffff:10.1.2.3"), "\(host)")
        }
        for host in ["10.1.2.4", "b.a.example", "a.example:x", "localhost.evil", "127.evil", "[fd00::2]", nil] {
            #expect(!policy.allows(host, localAddress: "::ffff:10.1.2.3"), "\(host ?? "none")")
        }
        #expect(HostPolicy(names: ["*"], host: "::").allows("any", localAddress: nil))
    }
}
