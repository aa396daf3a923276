import Foundation
import Postgres
import TestSupport
import Testing

@testable import FlowControl

@Suite(.timeLimit(.minutes(2)))
struct BreakerTests {
    private static let tokens = (1...3).map { GateName(.notionWriter, .token, key: "t\($0)") }

    private static func fail(
        _ flow: FlowControl,
        _ token: Int = 0,
        isUnreached: Bool = false,
        began: ContinuousClock.Instant = .now,
        lease: Int64? = nil
    ) async -> FlowControl.Closing? {
        await flow.failed(
            .notionWriter,
            caller: tokens[token],
            isUnreached: isUnreached,
            began: began,
            reason: "It is down.",
            lease: lease
        )
    }

    /// Asks as a job does that would probe.
    private static func ask(_ fixture: GateFixture, _ flow: FlowControl) async throws -> FlowControl.Admission {
        try await flow.take(2, passing: [fixture.peer, fixture.token], paced: fixture.token, mayProbe: true)
    }

    private static func lease(_ admission: FlowControl.Admission) -> Int64? {
        if case .probe(.notionWriter, let lease) = admission { lease } else { nil }
    }

    /// Waits as long as the cooldown takes.
    private static func probe(_ fixture: GateFixture, _ flow: FlowControl) async throws -> Int64 {
        var found: Int64?
        try await eventually(within: .seconds(20), "the end of the cooldown") {
            found = lease(try await ask(fixture, flow))
            return found != nil
        }
        return try #require(found)
    }

    @Test func oneUsersFaultsOpenNothing() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            for _ in 1...20 { #expect(await Self.fail(flow) == nil) }
            let asked = try await Self.ask(fixture, flow)
            #expect(asked.closing == nil)
        }
    }

    @Test func failuresOfTwoOpenItForAll() async throws {
        try await GateFixture.with { fixture in
            let (one, other) = (fixture.flow { $0.breaker.cooldown = .seconds(10) }, fixture.flow())
            #expect(await Self.fail(one) == nil)
            #expect(await Self.fail(other, 1) == nil)
            #expect(await Self.fail(one)?.isBroken == true)
            let closing = try #require(try await Self.ask(fixture, other).closing)
            #expect(closing.isBroken && closing.gate == fixture.peer && closing.wait > .seconds(5))
            #expect(try await fixture.gate(fixture.peer)?.openedAt != nil)
        }
    }

    @Test func aSuccessBetweenThemKeepsItClosed() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            for _ in 1...5 {
                #expect(await Self.fail(flow) == nil)
                #expect(await Self.fail(flow, 1) == nil)
                await flow.succeeded(.notionWriter, began: .now)
            }
            #expect(await Self.fail(flow) == nil)
            #expect(await Self.fail(flow, 1) == nil)
            #expect(await Self.fail(flow) != nil)
        }
    }

    @Test func whereNobodyListensOneIsEnough() async throws {
        try await GateFixture.with { fixture in
            let closing = await Self.fail(fixture.flow(), isUnreached: true)
            #expect(closing?.isBroken == true)
        }
    }

    /// One may have lost its network.
    @Test func oneWorkersWordIsNotEnoughWhereThereAreMore() async throws {
        try await GateFixture.with { fixture in
            try await fixture.add(workers: 2)
            let (ill, well) = (fixture.flow(), fixture.flow())
            for _ in 1...5 {
                #expect(await Self.fail(ill, isUnreached: true) == nil)
                #expect(await Self.fail(ill, 1) == nil)
            }
            // One user's odd note at a worker that is well.
            #expect(await Self.fail(well, 2)?.isBroken == true, "many failures, of more than one user and worker")
            _ = try await GateList(pool: fixture.pool).open(fixture.peer)
            #expect(await Self.fail(ill, isUnreached: true) == nil)
            // What the other gets through takes it all back.
            #expect(try await fixture.take(well, 2).closing == nil)
            await well.succeeded(.notionWriter, began: .now)
            #expect(await Self.fail(well, isUnreached: true) == nil)
            #expect(await Self.fail(ill, isUnreached: true)?.isBroken == true)
        }
    }

    /// Else one that is ill could keep it open for all.
    @Test func whoProbedInVainLeavesTheNextProbeToOthers() async throws {
        try await GateFixture.with { fixture in
            try await fixture.add(workers: 2)
            let flows = (1...2).map { _ in fixture.flow { $0.breaker.cooldown = .milliseconds(50) } }
            for flow in flows { _ = await Self.fail(flow, isUnreached: true) }
            let first = try await Self.probe(fixture, flows[0])
            #expect(await Self.fail(flows[0], lease: first) != nil)
            try await eventually(within: .seconds(5), "the end of the cooldown") {
                try await fixture.gate(fixture.peer)?.probeAt.map { $0 < Date() } == true
            }
            #expect(Self.lease(try await Self.ask(fixture, flows[0])) == nil)
            let second = Self.lease(try await Self.ask(fixture, flows[1]))
            #expect(second != nil)
            #expect(await Self.fail(flows[1], lease: second) != nil)
            // Where no other asks it is its turn again.
            let third = try await Self.probe(fixture, flows[1])
            await flows[1].succeeded(.notionWriter, began: .now, lease: third)
            #expect(try await fixture.gate(fixture.peer)?.openedAt == nil)
        }
    }

    @Test func theFirstCauseIsKept() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow { $0.breaker.cooldown = .milliseconds(50) }
            _ = await Self.fail(flow, isUnreached: true)
            let lease = try await Self.probe(fixture, flow)
            let closing = await flow.failed(
                .notionWriter,
                caller: Self.tokens[0],
                isUnreached: false,
                began: .now,
                reason: "Still ill.",
                lease: lease
            )
            #expect(closing?.reason == "It is down.")
            #expect(try await fixture.gate(fixture.peer)?.openedReason == "It is down.")
        }
    }

    @Test func oneProbesAtATimeAndItsSuccessClosesIt() async throws {
        try await GateFixture.with { fixture in
            let flows = (1...8).map { _ in fixture.flow { $0.breaker.cooldown = .milliseconds(300) } }
            _ = await Self.fail(flows[0], isUnreached: true)
            #expect(try await Self.ask(fixture, flows[0]).closing?.isBroken == true, "it cools down first")
            try await eventually(within: .seconds(5), "the end of the cooldown") {
                try await fixture.gate(fixture.peer)?.probeAt.map { $0 < Date() } == true
            }
            let asked = try await withThrowingTaskGroup(of: FlowControl.Admission.self) { group in
                for flow in flows { group.addTask { try await Self.ask(fixture, flow) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let leases = asked.compactMap(Self.lease)
            #expect(leases.count == 1)
            #expect(asked.compactMap(\.closing).count == 7)
            let lease = try #require(leases.first)
            await flows[3].succeeded(.notionWriter, began: .now, lease: lease + 1)
            let before = try #require(try await fixture.gate(fixture.peer))
            #expect(before.openedAt == nil || before.isProbed, "a probe that is another's counts if it began since")
            await flows[2].succeeded(.notionWriter, began: .now, lease: lease)
            #expect(try await fixture.gate(fixture.peer)?.openedAt == nil)
            #expect(try await Self.ask(fixture, fixture.flow()).closing == nil)
        }
    }

    @Test func theCooldownGrowsUpToItsCap() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow {
                $0.breaker.cooldown = .milliseconds(200)
                $0.breaker.longestCooldown = .milliseconds(700)
            }
            _ = await Self.fail(flow, isUnreached: true)
            for ceiling in [0.4, 0.7, 0.7] {
                let lease = try await Self.probe(fixture, flow)
                let wait = try #require(await Self.fail(flow, lease: lease)?.wait)
                #expect(wait <= .seconds(ceiling) && wait > .seconds(ceiling * 0.5), "\(wait)")
            }
        }
    }

    /// What was sent before the peer was out of order, or before it was back, says nothing of it now.
    @Test func lateAnswersNeitherOpenNorCloseIt() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow { $0.breaker.cooldown = .milliseconds(50) }
            let early = ContinuousClock.now
            _ = await Self.fail(flow, isUnreached: true)
            await flow.succeeded(.notionWriter, began: early)
            #expect(try await fixture.gate(fixture.peer)?.openedAt != nil)
            let lease = try await Self.probe(fixture, flow)
            #expect(await Self.fail(flow, began: early)?.isBroken == true, "it is open, whoever says so")
            #expect(try await fixture.gate(fixture.peer)?.isProbed == true, "the probe goes on")
            await flow.succeeded(.notionWriter, began: .now, lease: lease)
            #expect(await Self.fail(flow, isUnreached: true, began: early) == nil)
            #expect(try await fixture.gate(fixture.peer)?.openedAt == nil)
        }
    }

    /// A worker that dies with the probe loses it.
    @Test func aProbeThatIsNotHeardOfIsMadeByAnother() async throws {
        try await GateFixture.with { fixture in
            let (dead, other) = (
                fixture.flow {
                    $0.breaker.cooldown = .milliseconds(50)
                    $0.breaker.probeTime = .seconds(2)
                }, fixture.flow { $0.breaker.probeTime = .seconds(2) }
            )
            _ = await Self.fail(dead, isUnreached: true)
            let lost = try await Self.probe(fixture, dead)
            let lease = try await Self.probe(fixture, other)
            #expect(lease != lost)
            #expect(await Self.fail(dead, lease: lost) != nil)
            #expect(
                try await fixture.gate(fixture.peer)?.isProbed == true,
                "its late word does not end the other's probe"
            )
            await other.succeeded(.notionWriter, began: .now, lease: lease)
            #expect(try await fixture.gate(fixture.peer)?.openedAt == nil)
        }
    }

    @Test(arguments: [3600, -3600]) func aClockThatIsSetKeepsNobodyOut(_ seconds: Int) async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow { $0.breaker.cooldown = .seconds(1) }
            _ = await Self.fail(flow, isUnreached: true)
            try await fixture.pool.execute(
                """
                UPDATE sync_gates SET opened_at = opened_at - make_interval(secs => \(Double(seconds))),
                    probe_at = probe_at - make_interval(secs => \(Double(seconds)))
                """
            )
            let lease = try await Self.probe(fixture, flow)
            await flow.succeeded(.notionWriter, began: .now, lease: lease)
            #expect(try await fixture.gate(fixture.peer)?.openedAt == nil)
        }
    }

    @Test func whoDoesNotProbeIsNotAsked() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow { $0.breaker.cooldown = .milliseconds(10) }
            _ = await Self.fail(flow, isUnreached: true)
            try await eventually(within: .seconds(5), "the end of the cooldown") {
                try await fixture.gate(fixture.peer)?.probeAt.map { $0 < Date() } == true
            }
            #expect(try await fixture.take(flow, 2).closing?.isBroken == true)
            let opened = try await GateList(pool: fixture.pool).open(fixture.peer)
            #expect(opened?.wasBroken == true)
            #expect(try await fixture.take(flow, 2).closing == nil)
        }
    }
}
