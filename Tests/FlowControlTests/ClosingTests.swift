import Foundation
import Postgres
import TestSupport
import Testing

@testable import FlowControl

@Suite(.timeLimit(.minutes(2)))
struct ClosingTests {
    @Test func whatOneWorkerIsToldHoldsForAll() async throws {
        try await GateFixture.with { fixture in
            let (one, other) = (fixture.flow(), fixture.flow())
            #expect(await fixture.refuse(one, asked: .seconds(90)).wait > .seconds(89))
            #expect(one.closing(of: [fixture.token]) != nil)
            #expect(other.closing(of: [fixture.token]) == nil, "it has not asked yet")
            let closing = try #require(try await fixture.take(other, 10).closing)
            #expect(closing.gate == fixture.token && closing.wait > .seconds(89))
            #expect(closing.reason == "Notion limits the rate." && closing.refusals == 1)
            #expect(try await fixture.gate()?.recentPermits == 0, "nothing is taken at a closed gate")
            let gate = try #require(try await fixture.gate())
            #expect(gate.isClosed && gate.closedBy == "w1")
        }
    }

    @Test func aGateOfOneTokenStopsNoOther() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            _ = await fixture.refuse(flow, asked: .seconds(90))
            let other = GateName(.notionWriter, .token, key: "t2")
            let open = try await flow.take(10, passing: [fixture.peer, other], paced: other)
            #expect(open.closing == nil)
            _ = await fixture.refuse(flow, fixture.peer, asked: .seconds(30))
            let closed = try await flow.take(10, passing: [fixture.peer, other], paced: other)
            #expect(closed.closing?.gate == fixture.peer)
        }
    }

    @Test func theLongestTimeAnybodyWasToldCounts() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            _ = await fixture.refuse(flow, asked: .seconds(90))
            #expect(await fixture.refuse(flow, asked: .seconds(5)).wait > .seconds(80))
            #expect(await fixture.refuse(flow, asked: nil).wait > .seconds(80))
            #expect(await fixture.refuse(flow, asked: .seconds(300)).wait > .seconds(299))
        }
    }

    @Test func aWholePeerIsNotClosedForADay() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            #expect(await fixture.refuse(flow, fixture.peer, asked: .seconds(86_400)).wait <= .seconds(60))
            #expect(await fixture.refuse(flow, asked: .seconds(999_999)).wait <= .seconds(86_400))
        }
    }

    /// What one user sends may be the cause.
    @Test func aWholePeerIsClosedWhenItRefusesTwo() async throws {
        try await GateFixture.with { fixture in
            let flows = [fixture.flow(), fixture.flow()]
            let other = GateName(.notionWriter, .token, key: "t2")
            func refuse(_ caller: GateName, _ flow: FlowControl) async throws -> FlowControl.Closing? {
                try await flow.refuse(fixture.peer, caller: caller, asked: .seconds(10), began: .now, reason: "Busy.")
                return try await fixture.take(flow, 0).closing
            }
            for flow in flows + flows { #expect(try await refuse(fixture.token, flow) == nil) }
            // Another's refusal long before says nothing.
            try await fixture.setClock(forward: .seconds(62))
            #expect(try await refuse(other, flows[0]) == nil)
            let closing = try #require(try await refuse(fixture.token, flows[1]))
            #expect(closing.gate == fixture.peer && closing.wait > .seconds(9) && closing.reason == "Busy.")
        }
    }

    /// What an operator has closed for longer stays the operator's.
    @Test func aRefusalUnderWayLeavesALongerClosingAsItIs() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            _ = await fixture.refuse(flow, asked: .seconds(1))
            _ = try await GateList(pool: fixture.pool).close(fixture.token, for: .seconds(7200), reason: "Moved.")
            let closing = await fixture.refuse(flow, asked: .seconds(2), began: .now - .seconds(5))
            #expect(closing.wait > .seconds(7000) && closing.reason == "Moved.")
            let gate = try #require(try await fixture.gate())
            #expect(gate.reason == "Moved." && gate.closedBy != "w1" && gate.closedFor > .seconds(7000))
            _ = await fixture.refuse(flow, asked: .seconds(9000))
            #expect(try await fixture.gate()?.closedBy == "w1")
        }
    }

    @Test func refusalsWithoutATimeBackOffUntilACallSucceeds() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            for number in 0..<8 {
                let closing = await fixture.refuse(flow, asked: nil)
                let ceiling = min(pow(2, Double(number)), 60)
                #expect(closing.refusals == number + 1)
                #expect(closing.wait > .seconds(ceiling * 0.49) && closing.wait <= .seconds(ceiling))
                try await fixture.setClock(forward: .seconds(ceiling))
            }
            #expect(await fixture.refuse(flow, asked: nil, hasSucceeded: true).refusals == 1)
            try await fixture.setClock(forward: .seconds(61))
            _ = try await fixture.take(flow, 10, hasSucceeded: true)
            #expect(await fixture.refuse(flow, asked: nil).refusals == 1)
        }
    }

    /// As of a peer that refuses a call now and then: other jobs have passed it meanwhile.
    @Test func refusalsLongAfterOneAnotherAreNotInARow() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            for _ in 0..<3 {
                #expect(await fixture.refuse(flow, asked: .seconds(1)).refusals == 1)
                try await fixture.setClock(forward: .seconds(62))
            }
        }
    }

    @Test func anyNumberOfRefusalsIsRecorded() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            _ = await fixture.refuse(flow, asked: nil)
            try await fixture.database.pool.execute("UPDATE sync_gates SET throttles = 2147483647")
            try await fixture.setClock(forward: .seconds(1))
            let closing = await fixture.refuse(flow, asked: .seconds(30))
            #expect(closing.refusals == 1001 && closing.wait > .seconds(29))
        }
    }

    @Test func callsThatWereUnderWayAreOneRefusal() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            // Longer ago than a busy database takes to hear of it.
            let began = ContinuousClock.now - .seconds(20)
            for _ in 1...10 { _ = await fixture.refuse(flow, asked: nil, began: began) }
            let closing = await fixture.refuse(flow, asked: nil, began: began)
            #expect(closing.refusals == 1 && closing.wait <= .seconds(1))
        }
    }

    @Test func aPersonOpensAndCloses() async throws {
        try await GateFixture.with { fixture in
            let (flow, gates) = (fixture.flow(), GateList(pool: fixture.pool))
            _ = await fixture.refuse(flow, asked: .seconds(3600))
            #expect(try await gates.open(fixture.token).map { $0.closedFor > .seconds(3500) } == true)
            #expect(try await fixture.take(flow, 1).closing == nil)
            #expect(flow.closing(of: [fixture.token]) == nil, "the worker has heard of it")
            let none = try await gates.open(GateName(.notionWriter, .token, key: "none"))
            #expect(none == nil)
            _ = try await gates.close(fixture.peer, for: .seconds(600), reason: "Moving house.")
            let closing = try #require(try await fixture.take(flow, 1).closing)
            #expect(closing.reason == "Moving house." && closing.wait > .seconds(590))
        }
    }

    @Test func aWorkerWithoutADatabaseKeepsToWhatItWasTold() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            try await fixture.pool.execute("ALTER TABLE sync_gates RENAME TO hidden")
            let closing = await fixture.refuse(flow, asked: .seconds(30))
            #expect(closing.wait > .seconds(29))
            #expect(flow.closing(of: [fixture.token]) != nil)
            try await fixture.pool.execute("ALTER TABLE hidden RENAME TO sync_gates")
        }
    }

    @Test func gatesThatNobodyUsesAreForgotten() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            _ = try await fixture.take(flow, 1)
            _ = await fixture.refuse(flow, fixture.peer, asked: .seconds(5))
            try await flow.forgetUnusedGates()
            #expect(try await fixture.gate() != nil)
            try await fixture.setClock(forward: .seconds(86_401))
            try await flow.forgetUnusedGates()
            #expect(try await fixture.gate() == nil)
            #expect(try await fixture.gate(fixture.peer) == nil)
        }
    }
}
