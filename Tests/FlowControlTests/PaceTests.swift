import Foundation
import Postgres
import TestSupport
import Testing

@testable import FlowControl

@Suite(.timeLimit(.minutes(2)))
struct PaceTests {
    /// A permit takes so long that a slow machine makes no difference: in units of it.
    private static let unit = 100.0

    private static func flow(_ fixture: GateFixture) -> FlowControl {
        fixture.flow(rate: 1 / unit, burst: 3) { $0.horizon = .seconds(100 * unit) }
    }

    private static func isNear(_ duration: Duration?, _ units: Double) -> Bool {
        duration.map { abs($0 / .seconds(unit) - units) < 0.6 } ?? false
    }

    @Test func permitsFollowEachOtherWhoeverTakesThem() async throws {
        try await GateFixture.with { fixture in
            let (one, other) = (Self.flow(fixture), Self.flow(fixture))
            // A burst of three, then one after another: the tenth permit is due after seven units, the twentieth after
            // seventeen.
            #expect(Self.isNear(try await fixture.take(one, 10).lastDue(10), 7))
            #expect(Self.isNear(try await fixture.take(other, 10).lastDue(10), 17))
            let gate = try #require(try await fixture.gate())
            #expect(gate.recentPermits == 20 && gate.rate == 0.01 && gate.pace == 0.01 && !gate.isClosed)
        }
    }

    @Test func whatIsGivenBackIsThereForTheNext() async throws {
        try await GateFixture.with { fixture in
            let flow = Self.flow(fixture)
            let ten = try await fixture.take(flow, 10)
            _ = try await fixture.take(flow, 0, unused: ten.unused(after: 2))
            // As if two had been taken.
            let three = try await fixture.take(flow, 3)
            #expect(Self.isNear(three.lastDue(3), 2))
            _ = try await fixture.take(flow, 0, unused: three.unused())
            #expect(try await fixture.gate()?.recentPermits == 2)
            // It is given back once.
            _ = try await fixture.take(flow, 0, unused: three.unused())
            #expect(Self.isNear(try await fixture.take(flow, 4).lastDue(4), 3))
        }
    }

    /// Who was given later ones keeps to them, and a third is given none that lie between.
    @Test func permitsBeforeThoseOfOthersLapse() async throws {
        try await GateFixture.with { fixture in
            let flow = Self.flow(fixture)
            let first = try await fixture.take(flow, 5)
            _ = try await fixture.take(flow, 5)
            _ = try await fixture.take(flow, 0, unused: first.unused(after: 1))
            #expect(try await fixture.gate()?.recentPermits == 6, "they are not counted as used all the same")
            #expect(Self.isNear(try await fixture.take(flow, 1).lastDue(1), 8))
        }
    }

    @Test func callsThatWereCalledOffAmongOthersLapse() async throws {
        try await GateFixture.with { fixture in
            let flow = Self.flow(fixture)
            _ = try await fixture.take(flow, 10)
            _ = try await fixture.take(flow, 0, unused: UnusedPermits(calledOff: 4))
            #expect(try await fixture.gate()?.recentPermits == 6)
            #expect(Self.isNear(try await fixture.take(flow, 1).lastDue(1), 8))
        }
    }

    @Test func whatWasGivenAtAFasterPaceLapses() async throws {
        try await GateFixture.with { fixture in
            let flow = Self.flow(fixture)
            let ten = try await fixture.take(flow, 10)
            try await flow.slow(fixture.token, began: .now)
            _ = try await fixture.take(flow, 0, unused: ten.unused())
            // The tenth is due after seven units at the old pace, a next one two later at half of it.
            #expect(try await fixture.take(flow, 1).lastDue(1).map { $0 > .seconds(7 * Self.unit) } == true)
        }
    }

    /// Eight at once for the last permits that are near enough.
    @Test func twoWorkersNeverGetTheSamePermit() async throws {
        try await GateFixture.with { fixture in
            let flows = (1...8).map { _ in
                fixture.flow(rate: 1 / Self.unit, burst: 1) { $0.horizon = .seconds(5.5 * Self.unit) }
            }
            let admissions = try await withThrowingTaskGroup(of: FlowControl.Admission.self) { group in
                for flow in flows { group.addTask { try await fixture.take(flow, 1) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let dues = admissions.compactMap { $0.lastDue(1) }.map { Int(($0 / .seconds(Self.unit)).rounded()) }
            #expect(dues.sorted() == [0, 1, 2, 3, 4, 5], "one after another, up to the horizon")
            let crowded = admissions.compactMap(\.closing)
            #expect(crowded.count == 2 && crowded.allSatisfy { $0.refusals == 0 && $0.wait > .seconds(5 * Self.unit) })
            #expect(flows.allSatisfy { $0.closing(of: [fixture.token]) == nil }, "who has permits may use them")
            #expect(try await fixture.gate()?.recentPermits == 6)
        }
    }

    @Test func aRefusalHalvesThePaceAndMinutesBringItBack() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            let began = ContinuousClock.now
            _ = try await fixture.take(flow, 1)
            _ = await fixture.refuse(flow, asked: .zero, began: began)
            #expect(try await fixture.gate()?.pace.map { abs($0 - 1.5) < 0.35 } == true)
            // A call that was under way then has met the same.
            _ = await fixture.refuse(flow, asked: .zero, began: began)
            #expect(try await fixture.gate()?.pace.map { abs($0 - 1.5) < 0.35 } == true)
            _ = await fixture.refuse(flow, asked: .zero)
            #expect(try await fixture.gate()?.pace.map { abs($0 - 0.75) < 0.35 } == true)
            try await fixture.setClock(forward: .seconds(60))
            #expect(try await fixture.gate()?.pace.map { abs($0 - 1.05) < 0.35 } == true, "a tenth of the rate more")
            try await fixture.setClock(forward: .seconds(600))
            #expect(try await fixture.gate()?.isSlowed == false)
            for _ in 1...20 { try await flow.slow(fixture.token, began: .now) }
            #expect(try await fixture.gate()?.pace.map { $0 >= 0.15 } == true, "it never comes to a stop")
            #expect(try await fixture.gate()?.isClosed == false, "who is slow has refused nobody")
        }
    }

    /// Times are the database's; a worker measures no more than how long ago it made a call.
    @Test(arguments: [3600, -3600]) func aClockThatIsSetKeepsNobodyOut(_ seconds: Int) async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            _ = try await fixture.take(flow, 10)
            _ = await fixture.refuse(flow, fixture.peer, asked: .seconds(2))
            try await fixture.setClock(forward: .seconds(seconds))
            let other = fixture.flow()
            if seconds < 0 {
                let wait = try #require(try await fixture.take(other, 2).closing?.wait)
                #expect(wait <= .seconds(2) && wait > .seconds(1), "no longer than it was closed for")
                try await eventually(within: .seconds(5), "the opening of the gate") {
                    try await fixture.take(fixture.flow(), 0).closing == nil
                }
            }
            let due = try #require(try await fixture.take(fixture.flow(), 2).lastDue(2))
            #expect(due <= .seconds(63), "at most the horizon and what was taken with it")
            #expect(seconds < 0 || due <= .seconds(1))
        }
    }

    @Test func anHourOnceReckonedWithIsNotTakenForOneToCome() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow { $0.horizon = .seconds(3) }
            _ = try await fixture.take(flow, 6)
            try await fixture.setClock(forward: .seconds(-3600))
            let first = try await fixture.take(flow, 2)
            #expect(first.closing == nil)
            #expect(try #require(first.lastDue(2)) <= .seconds(1))
        }
    }
}
