import Foundation
import Support
import TestSupport

/// Visitors of a program with a port, who send whatever they like.
struct HostileVisitors: Sendable {
    let port: Int
    let seed: UInt64
    let tally: HostileTally

    /// Half-sent requests that are open at once; more than one address may have.
    private static let halfRequests = 400

    func run(until deadline: ContinuousClock.Instant) async throws {
        let half = try HalfRequests(count: Self.halfRequests, port: port)
        defer { half.stop() }
        await withTaskGroup(of: Void.self) { visitors in
            for visitor in 0..<6 {
                visitors.addTask { await self.send(SplitMix64(seed: seed &+ UInt64(visitor)), until: deadline) }
            }
        }
    }

    private func send(_ given: SplitMix64, until deadline: ContinuousClock.Instant) async {
        var random = given
        while .now < deadline {
            tally.count("requests of visitors")
            do {
                let answer = try await wireExchange(port: port, Self.request(&random), patience: 3)
                if answer.status >= 500, answer.status != 503 { tally.count("answers \(answer.status)") }
            } catch {
                tally.count("requests that were not answered")
            }
        }
    }

    private static let paths = [
        "/", "/health", "/livez", "/readyz?verbose", "/metrics", "/openapi.json", "/internal/sync/jobs",
        "/internal/sync/execute", "/jobs/..%2f..%2fetc%2fpasswd", "//", "/%00", "*", "http://eve.example/",
    ]

    private static func path(_ random: inout SplitMix64) -> String {
        let id = random.pick([UUID().uuidString, "1", "..", "%ff", String(repeating: "9", count: 4000), "'"])
        switch random.number(0...4) {
        case 0: return "/internal/sync/status/\(id)"
        case 1: return "/internal/sync/abort/\(id)"
        case 2:
            let value = random.pick(["eve%00", "-1", "999999999999999999999", "%F0%9F%98%80", "queued", id])
            return "/internal/sync/jobs?\(random.pick(["user_id", "status", "limit", "cursor", "x"]))=\(value)"
        case 3: return "/jobs/\(id)"
        default: return random.pick(paths)
        }
    }

    private static func request(_ random: inout SplitMix64) -> String {
        if random.chance(0.05) {
            return String(
                (0..<random.number(1...3000)).map { _ in Character(UnicodeScalar(UInt8(random.number(1...127)))) }
            )
        }
        let method = random.pick(["GET", "GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "BREW", "get"])
        var head =
            "\(method) \(path(&random)) HTTP/1.\(random.pick([1, 1, 1, 0, 9]))\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        for _ in 0..<random.number(0...3) { head += field(&random) + "\r\n" }
        let body = body(&random)
        switch random.number(0...3) {
        case 0: return head + "\r\n"
        case 1: return head + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body
        case 2:
            return head + "Content-Length: \(random.pick(["-1", "99999999999999999999", "5, 6", "0x5"]))\r\n\r\n" + body
        default:
            let size = String(body.utf8.count, radix: 16)
            return head
                + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\(size)\r\n\(body)\r\n0\r\n\r\n"
        }
    }

    private static func field(_ random: inout SplitMix64) -> String {
        random.pick([
            "Host: eve.example", "Origin: https://eve.example",
            "X: \(String(repeating: "x", count: random.number(1...20_000)))",
            "Authorization: Bearer eve", "Accept: text/html", "Range: bytes=0-", "Transfer-Encoding: chunked",
            "Expect: 100-continue",
            "X-Forwarded-For: 127.0.0.1", "Accept-Encoding: gzip, \u{FF}", "Upgrade: h2c", "traceparent: 00-eve",
        ])
    }

    private static func body(_ random: inout SplitMix64) -> String {
        let user = random.pick(HostileUsers.withCredentials)
        switch random.number(0...5) {
        case 0: return #"{"user_id":"\#(user)","full_sync":true}"#
        case 1:
            return
                #"{"job_id":"\#(UUID().uuidString)","user_id":"\#(user)","full_sync":\#(random.pick(["1", "null", "\"\""]))}"#
        case 2: return #"{"user_id":\#(random.pick(["null", "[]", "7", "\"\\u0000\"", "\"\\ud800\""]))}"#
        case 3: return String(repeating: "[", count: random.number(1...60_000))
        case 4: return String(repeating: "x", count: random.number(1...200_000))
        default: return ""
        }
    }
}
