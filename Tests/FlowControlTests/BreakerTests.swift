import Foundation
import Postgres
import TestSupport
import Testing

@testable import FlowControl

@Suite(.timeLimit(.minutes(2)))
struct BreakerTests {
    @Test func oneUsersFaultsOpenNothing() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            for _ in 1...20 { #expect(await flow.fail() == nil) }
            let asked = try await fixture.ask(flow)
            #expect(asked.closing == nil)
        }
    }

    @Test func failuresOfTwoOpenItForAll() async throws {
        try await GateFixture.with { fixture in
            let (one, other) = (fixture.flow { $0.breaker.cooldown = .seconds(10) }, fixture.flow())
            #expect(await one.fail() == nil)
            #expect(await other.fail(1) == nil)
            #expect(await one.fail()?.isBroken == true)
            let closing = try #require(try await fixture.ask(other).closing)
            #expect(closing.isBroken && closing.gate == fixture.peer && closing.wait > .seconds(5))
            #expect(try await fixture.gate(fixture.peer)?.openedAt != nil)
        }
    }

    @Test func aSuccessBetweenThemKeepsItClosed() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            for _ in 1...5 {
                #expect(await flow.fail() == nil)
                #expect(await flow.fail(1) == nil)
                await flow.succeeded(.notionWriter, began: .now)
            }
            #expect(await flow.fail() == nil)
            #expect(await flow.fail(1) == nil)
            #expect(await flow.fail() != nil)
        }
    }

    @Test func whereNobodyListensOneIsEnough() async throws {
        try await GateFixture.with { fixture in
            let closing = await fixture.flow().fail(isUnreached: true)
            #expect(closing?.isBroken == true)
        }
    }

    /// One may have lost its network.
    @Test func oneWorkersWordIsNotEnoughWhereThereAreMore() async throws {
        try await GateFixture.with { fixture in
            try await fixture.add(workers: 2)
            let (ill, well) = (fixture.flow(), fixture.flow())
            for _ in 1...5 {
                #expect(await ill.fail(isUnreached: true) == nil)
                #expect(await ill.fail(1) == nil)
            }
            // One user's odd note at a worker that is well.
            #expect(await well.fail(2)?.isBroken == true, "many failures, of more than one user and worker")
            _ = try await GateList(pool: fixture.pool).open(fixture.peer)
            #expect(await ill.fail(isUnreached: true) == nil)
            // What the other gets through takes it all back.
            #expect(try await fixture.take(well, 2).closing == nil)
            await well.succeeded(.notionWriter, began: .now)
            #expect(await well.fail(isUnreached: true) == nil)
            #expect(await ill.fail(isUnreached: true)?.isBroken == true)
        }
    }

    /// Else one that is ill could keep it open for all.
    @Test func whoProbedInVainLeavesTheNextProbeToOthers() async throws {
        try await GateFixture.with { fixture in
            try await fixture.add(workers: 2)
            let flows = (1...2).map { _ in fixture.flow { $0.breaker.cooldown = .milliseconds(50) } }
            for flow in flows { _ = await flow.fail(isUnreached: true) }
            let first = try await fixture.probe(flows[0])
            #expect(await flows[0].fail(lease: first) != nil)
            try await eventually(within: .seconds(5), "the end of the cooldown") {
                try await fixture.gate(fixture.peer)?.probeAt.map { $0 < Date() } == true
            }
            #expect(try await fixture.ask(flows[0]).probeLease == nil)
            let second = try await fixture.ask(flows[1]).probeLease
            #expect(second != nil)
            #expect(await flows[1].fail(lease: second) != nil)
            // Where no other asks it is its turn again.
            let third = try await fixture.probe(flows[1])
            await flows[1].succeeded(.notionWriter, began: .now, lease: third)
            #expect(try await fixture.gate(fixture.peer)?.openedAt == nil)
        }
    }

    @Test func theFirstCauseIsKept() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow { $0.breaker.cooldown = .milliseconds(50) }
            _ = await flow.fail(isUnreached: true)
            let lease = try await fixture.probe(flow)
            let closing = await flow.fail(reason: "Still ill.", lease: lease)
            #expect(closing?.reason == "It is down.")
            #expect(try await fixture.gate(fixture.peer)?.openedReason == "It is down.")
        }
    }

    @Test func oneProbesAtATimeAndItsSuccessClosesIt() async throws {
        try await GateFixture.with { fixture in
            let flows = (1...8).map { _ in fixture.flow { $0.breaker.cooldown = .seconds(3) } }
            _ = await flows[0].fail(isUnreached: true)
            #expect(try await fixture.ask(flows[0]).closing?.isBroken == true, "it cools down first")
            try await eventually(within: .seconds(20), "the end of the cooldown") {
                try await fixture.gate(fixture.peer)?.probeAt.map { $0 < Date() } == true
            }
            let asked = try await withThrowingTaskGroup(of: FlowControl.Admission.self) { group in
                for flow in flows { group.addTask { try await fixture.ask(flow) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let leases = asked.compactMap(\.probeLease)
            #expect(leases.count == 1)
            #expect(asked.compactMap(\.closing).count == 7)
            let lease = try #require(leases.first)
            await flows[3].succeeded(.notionWriter, began: .now, lease: lease + 1)
            let before = try #require(try await fixture.gate(fixture.peer))
            #expect(before.openedAt == nil || before.isProbed, "a probe that is another's counts if it began since")
            await flows[2].succeeded(.notionWriter, began: .now, lease: lease)
            #expect(try await fixture.gate(fixture.peer)?.openedAt == nil)
            #expect(try await fixture.ask(fixture.flow()).closing == nil)
        }
    }

    @Test func theCooldownGrowsUpToItsCap() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow {
                $0.breaker.cooldown = .milliseconds(200)
                $0.breaker.longestCooldown = .milliseconds(700)
            }
            _ = await flow.fail(isUnreached: true)
            for ceiling in [0.4, 0.7, 0.7] {
                let lease = try await fixture.probe(flow)
                let wait = try #require(await flow.fail(lease: lease)?.wait)
                #expect(wait <= .seconds(ceiling) && wait > .seconds(ceiling * 0.5), "\(wait)")
            }
        }
    }

    /// What was sent before the peer was out of order, or before it was back, says nothing of it now.
    @Test func lateAnswersNeitherOpenNorCloseIt() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow { $0.breaker.cooldown = .milliseconds(50) }
            let early = ContinuousClock.now
            _ = await flow.fail(isUnreached: true)
            await flow.succeeded(.notionWriter, began: early)
            #expect(try await fixture.gate(fixture.peer)?.openedAt != nil)
            let lease = try await fixture.probe(flow)
            #expect(await flow.fail(began: early)?.isBroken == true, "it is open, whoever says so")
            #expect(try await fixture.gate(fixture.peer)?.isProbed == true, "the probe goes on")
            await flow.succeeded(.notionWriter, began: .now, lease: lease)
            #expect(await flow.fail(isUnreached: true, began: early) == nil)
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
            _ = await dead.fail(isUnreached: true)
            let lost = try await fixture.probe(dead)
            let lease = try await fixture.probe(other)
            #expect(lease != lost)
            #expect(await dead.fail(lease: lost) != nil)
            #expect(
                try await fixture.gate(fixture.peer)?.isProbed == true,
                "its late word does not end the other's probe"
            )
            await other.succeeded(.notionWriter, began: .now, lease: lease)
            #expect(try await fixture.gate(fixture.peer)?.openedAt == nil)
        }
    }

    /// It may be back since the probe began, and answer the next.
    @Test func theTimeForWhichAProbeWaitsIsPartOfTheCooldown() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow { $0.breaker.cooldown = .milliseconds(50) }
            _ = await flow.fail(isUnreached: true)
            let lease = try await fixture.probe(flow)
            let patient = fixture.flow { $0.breaker.cooldown = .seconds(13) }
            let closing = await patient.fail(isSilence: true, began: .now - .seconds(12), lease: lease)
            #expect(closing.map { $0.wait < .seconds(2) } == true)
        }
    }

    @Test(arguments: [3600, -3600]) func aClockThatIsSetKeepsNobodyOut(_ seconds: Int) async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow { $0.breaker.cooldown = .seconds(1) }
            _ = await flow.fail(isUnreached: true)
            try await fixture.pool.execute(
                """
                UPDATE sync_gates SET opened_at = opened_at - make_interval(secs => \(Double(seconds))),
                    probe_at = probe_at - make_interval(secs => \(Double(seconds)))
                """
            )
            let lease = try await fixture.probe(flow)
            await flow.succeeded(.notionWriter, began: .now, lease: lease)
            #expect(try await fixture.gate(fixture.peer)?.openedAt == nil)
        }
    }

    @Test func whoDoesNotProbeIsNotAsked() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow { $0.breaker.cooldown = .milliseconds(10) }
            _ = await flow.fail(isUnreached: true)
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
