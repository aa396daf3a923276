import Foundation
import TestSupport
import Testing

@testable import PeerSimulator

@Suite(.timeLimit(.minutes(1)))
struct FaultTests {
    /// One fault of the writer's create, then what came of it.
    private func create(with fault: String, _ check: (WireAnswer, RunningSimulator) async throws -> Void) async throws {
        try await withSimulator { peers in
            try await peers.setFaults(#"[{"peer":"writer","operation":"create","times":1,"fault":\#(fault)}]"#)
            let answer = try await peers.create()
            try await check(answer, peers)
            #expect(peers.simulator.faults.report.map(\.applied) == [1])
            #expect(try await peers.create().status == 201, "the fault strikes once")
        }
    }

    @Test(arguments: ["reset", "close"]) func connectionsEndBeforeTheWork(_ way: String) async throws {
        try await create(with: #"{"kind":"\#(way)_before"}"#) { answer, peers in
            #expect(answer.ending == (way == "reset" ? .resetUnanswered : .closedUnanswered))
            #expect(peers.simulator.pages.count == 0)
        }
    }

    @Test(arguments: ["reset", "close"]) func connectionsEndAfterTheWork(_ way: String) async throws {
        try await create(with: #"{"kind":"\#(way)_after"}"#) { answer, peers in
            #expect(answer.ending == (way == "reset" ? .resetUnanswered : .closedUnanswered))
            #expect(peers.simulator.pages.count == 1)
            // The simulator counts the request when its handler returns, which may be after the connection's end is
            // seen.
            let deadline = ContinuousClock.now + .seconds(10)
            var outcomes: [String] = []
            while outcomes.isEmpty, ContinuousClock.now < deadline {
                outcomes = peers.simulator.requests.report.writer.routes.values.flatMap(\.keys)
                await Task.yield()
            }
            #expect(outcomes == ["closed"])
        }
    }

    @Test(arguments: ["malformed_json", "truncated_json"]) func answersThatAreNoJSON(_ kind: String) async throws {
        try await create(with: #"{"kind":"\#(kind)"}"#) { answer, peers in
            #expect(answer.ending == .complete)
            #expect(answer.status == 201)
            #expect(throws: (any Error).self) { try answer.decode(JSONValue.self) }
            #expect(peers.simulator.pages.count == 1)
        }
    }

    @Test func bodiesThatEndTooSoon() async throws {
        try await create(with: #"{"kind":"truncated_body"}"#) { answer, peers in
            #expect(answer.ending == .truncated)
            #expect(!answer.body.isEmpty)
            #expect(peers.simulator.pages.count == 1)
        }
    }

    @Test func answersOfWrongShape() async throws {
        try await create(with: #"{"kind":"wrong_types"}"#) { answer, _ in
            let pageID = try answer.object()["page_id"] as? Int
            #expect(pageID == 42)
        }
        try await create(with: #"{"kind":"missing_fields"}"#) { answer, _ in
            #expect(answer.status == 201)
            #expect(answer.text == "{}")
        }
    }

    @Test func refusalsDoNoWork() async throws {
        try await create(with: #"{"kind":"rate_limited","retry_after":7}"#) { answer, peers in
            #expect(answer.status == 429)
            #expect(answer.headers["retry-after"] == "7")
            #expect(answer.detail?.hasPrefix("Failed to create Notion page: You have been rate limited") == true)
            #expect(peers.simulator.pages.count == 0)
        }
        try await create(with: #"{"kind":"rate_limited","status":500}"#) { answer, _ in
            #expect(answer.status == 500)
            #expect(answer.headers["retry-after"] == nil)
        }
        try await create(with: #"{"kind":"message","message":"body failed validation"}"#) { answer, _ in
            #expect(answer.status == 500)
            #expect(answer.detail == "Failed to create Notion page: body failed validation")
        }
        try await create(with: #"{"kind":"status","code":503,"detail":"Down","headers":{"Retry-After":"2"}}"#) {
            answer,
            _ in
            #expect(answer.status == 503)
            #expect(answer.detail == "Down")
            #expect(answer.headers["retry-after"] == "2")
        }
        try await create(with: #"{"kind":"unauthorized_401"}"#) { answer, _ in #expect(answer.status == 401) }
    }

    @Test(arguments: ["before", "after"]) func hanging(_ moment: String) async throws {
        let start = ContinuousClock.now
        try await create(with: #"{"kind":"hang","seconds":0.3,"when":"\#(moment)"}"#) { answer, peers in
            #expect(answer.status == 201)
            #expect(ContinuousClock.now - start >= .milliseconds(300))
        }
    }

    @Test(arguments: [0, 1, 20_000, 50_001]) func aLongList(_ elements: Int) async throws {
        try await withSimulator { peers in
            try await peers.setFaults(
                #"[{"operation":"notes","fault":{"kind":"long_list","elements":\#(elements)}}]"#
            )
            struct List: Decodable {
                struct Element: Decodable {}
                var notes: [Element]
            }
            #expect(try await peers.notes().decode(List.self).notes.count == elements)
        }
    }

    @Test func updatesAndTheExtractorHaveFaultsToo() async throws {
        try await withSimulator { peers in
            let id = try await peers.createdPage()
            try await peers.setFaults(
                """
                [{"operation":"update","times":1,"fault":{"kind":"message","message":"conflict"}},
                 {"operation":"auth","times":1,"fault":{"kind":"auth_failed","error":"BadAuthentication"}},
                 {"operation":"notes","times":1,"fault":{"kind":"unauthorized_401"}},
                 {"operation":"notes","times":1,"fault":{"kind":"truncated_body"}},
                 {"operation":"notes","times":1,"fault":{"kind":"truncated_json"}},
                 {"operation":"notes","times":1,"fault":{"kind":"wrong_types"}},
                 {"peer":"extractor","operation":"health","times":1,"fault":{"kind":"status","code":503}}]
                """
            )
            #expect(try await peers.update(id).detail == "Failed to update Notion page: conflict")
            #expect(try await peers.authenticate().object()["error"] as? String == "BadAuthentication")
            _ = try await peers.authenticate()
            #expect(try await peers.notes().status == 401)
            #expect(try await peers.notes().ending == .truncated)
            let cut = try await peers.notes()
            #expect(cut.ending == .complete)
            #expect(throws: (any Error).self) { try cut.decode(SentNotes.self) }
            let odd = try await peers.notes()
            #expect(throws: DecodingError.self) { try odd.decode(SentNotes.self) }
            #expect(try await peers.keep("GET", "/health").status == 503)
            #expect(
                try await peers.notes().decode(SentNotes.self).count == 40,
                "the gate is free again after every fault"
            )
        }
    }

    @Test func rulesMatchSkipAndCount() async throws {
        try await withSimulator { peers in
            try await peers.setFaults(
                """
                [{"match":{"title":"Doomed","database_id":"db-1"},"after":1,"times":2,"fault":{"kind":"status","code":500}},
                 {"match":{"content_contains":"poison"},"fault":{"kind":"status","code":504}},
                 {"peer":"extractor","match":{"username":"bob"},"fault":{"kind":"auth_failed"}}]
                """
            )
            var codes: [Int] = []
            for _ in 0..<4 { codes.append(try await peers.create(title: "Doomed").status) }
            #expect(codes == [201, 500, 500, 201])
            #expect(try await peers.create(title: "Doomed", database: "db-2").status == 201)
            #expect(try await peers.create(content: "some poison here").status == 504)
            #expect(try await peers.authenticate("bob").object()["status"] as? String == "failed")
            #expect(try await peers.authenticate("ada").object()["status"] as? String == "authenticated")
            #expect(peers.simulator.faults.report.map(\.applied) == [2, 1, 1])
            #expect(try await peers.writer("DELETE", "/simulator/faults").status == 200)
            #expect(peers.simulator.faults.report.isEmpty)
        }
    }

    @Test func probabilitiesFollowTheSeed() throws {
        func strikes(seed: UInt64) throws -> [Bool] {
            let injector = FaultInjector(plan: [try FaultRule(shorthand: "writer.create:reset_after=0.3")], seed: seed)
            return (0..<1_000).map { _ in injector.decide(PeerCall(peer: .writer, operation: .create)).fault != nil }
        }
        let first = try strikes(seed: 5)
        let (same, other) = (try strikes(seed: 5), try strikes(seed: 6))
        #expect(first == same)
        #expect(first != other)
        #expect((200...400).contains(first.count { $0 }))
    }

    @Test func latenciesAddUpAndLetTheCallGoOn() throws {
        let plan = try FaultRule.plan(
            json: Data(
                #"[{"fault":{"kind":"latency","ms":20}},{"fault":{"kind":"latency","ms":5}},{"fault":{"kind":"hang"}}]"#
                    .utf8
            )
        )
        let decision = FaultInjector(plan: plan, seed: 1).decide(PeerCall(peer: .writer, operation: .update))
        #expect(decision.latency == .milliseconds(25))
        #expect(decision.fault == .hang(seconds: 60, .before))
    }

    @Test(arguments: [
        ("{}", "array"), ("[1]", "object"), (#"[{"fault":{"kind":"nope"}}]"#, "nope"), (#"[{"peer":"x"}]"#, "fault"),
        (#"[{"peer":"x","fault":{"kind":"hang"}}]"#, "extractor, writer"),
        (#"[{"probability":2,"fault":{"kind":"hang"}}]"#, "probability"),
        (#"[{"propability":1,"fault":{"kind":"hang"}}]"#, "propability"),
        (#"[{"match":{"colour":"x"},"fault":{"kind":"hang"}}]"#, "content_contains"), ("[", "valid JSON"),
    ])
    func plansThatMakeNoSense(_ plan: String, _ reason: String) async throws {
        try await withSimulator { peers in
            let answer = try await peers.writer("PUT", "/simulator/faults", body: plan)
            #expect(answer.status == 400)
            #expect(answer.detail?.contains(reason) == true, "\(answer.text)")
        }
    }

    @Test func requestsAreCounted() async throws {
        try await withSimulator { peers in
            try await peers.setFaults(#"[{"operation":"create","fault":{"kind":"latency","ms":150}}]"#)
            _ = try await peers.authenticate()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<3 { group.addTask { _ = try await peers.create(title: "Note \(index)") } }
                group.addTask { _ = try await peers.create(title: "Note 0") }
                try await group.waitForAll()
            }
            let report = peers.simulator.requests.report
            #expect(report.total == 5)
            #expect(report.extractor.routes == ["POST /internal/keep/auth": ["200": 1]])
            #expect(report.writer.routes == ["POST /internal/notion/pages": ["201": 4]])
            #expect(report.writer.bytesIn > 400)
            #expect(report.writer.bytesOut > 400)
            #expect(report.maxConcurrentWriterCalls == 4)
            #expect(report.maxConcurrentPerTitle == 2)
            #expect(report.missingIdempotencyKeys == 4)
            #expect(report.peakKeepRequestsPerMinute == 1)
            #expect(try await peers.writer("POST", "/simulator/requests/reset").status == 200)
            #expect(peers.simulator.requests.report.total == 0)
        }
    }
}
