import Foundation
import SyncSchema
import TestSupport
import Testing

/// Visitors who send half a request, and many of them.
@Suite("Floods of connections", .migrated)
struct ConnectionFloodTests {
    @Test func probesAreAnsweredThroughHalfSentRequests() async throws {
        try await StatusFixture.with { fixture in
            let flood = try HalfRequests(count: 1100, port: fixture.port)
            defer { flood.stop() }
            try await eventually(within: .seconds(20), "all of them sent and some closed") { flood.isRenewing }
            for _ in 1...15 {
                #expect(try await fixture.request("/livez").status == 200)
                #expect(try await fixture.request("/internal/sync/jobs").status == 200)
            }
        }
    }

    /// A new connection takes the place of another, which may be that of a request which lies there whole.
    @Test func noRequestIsClosedUnreadHoweverManyConnectionsCome() async throws {
        try await StatusFixture.with { fixture in
            let flood = try HalfRequests(count: 400, port: fixture.port)
            defer { flood.stop() }
            try await eventually(within: .seconds(20), "all of them sent and some closed") { flood.isRenewing }
            let port = try fixture.port
            let answers = try await withThrowingTaskGroup(of: [WireAnswer].self) { group in
                for _ in 1...12 {
                    group.addTask {
                        var answers: [WireAnswer] = []
                        for _ in 1...80 { answers.append(try await wireRequest(port: port, "GET", "/livez")) }
                        return answers
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            let lost = answers.filter { $0.ending != .complete || $0.status != 200 }
            #expect(lost.isEmpty, "\(lost.count) of \(answers.count)")
        }
    }

    @Test func aRequestWhoseRestComesLaterIsAnsweredThroughSilentConnections() async throws {
        try await StatusFixture.with { fixture in
            let flood = try HalfRequests(count: 1100, port: fixture.port, beginning: "", pause: 1000)
            defer { flood.stop() }
            try await eventually(within: .seconds(20), "all of them open and some closed") { flood.isRenewing }
            let head = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
            for _ in 1...15 {
                let answer = try await wireExchange(port: fixture.port, head, rest: ("{}", .milliseconds(30)))
                #expect(answer.status == 200)
            }
        }
    }

    @Test func halfARequestHasSeconds() async throws {
        try await StatusFixture.with { fixture in
            let began = ContinuousClock.now
            let answer = try await wireExchange(port: fixture.port, "GET /livez HTTP/1.1\r\nHost: localhost\r\n")
            #expect(answer.ending == .closedUnanswered || answer.ending == .resetUnanswered)
            #expect(ContinuousClock.now - began < .seconds(8))
        }
    }
}
