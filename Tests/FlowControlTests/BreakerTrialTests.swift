import Foundation
import Postgres
import TestSupport
import Testing

@testable import FlowControl

/// What opens a breaker besides the word of two workers, and what becomes of its probes.
@Suite(.timeLimit(.minutes(2)))
struct BreakerTrialTests {
    /// A view of a worker whose cooldown is short.
    private static func flow(_ fixture: GateFixture) -> FlowControl {
        fixture.flow {
            $0.breaker.cooldown = .milliseconds(50)
            $0.breaker.settling = .milliseconds(400)
        }
    }

    private static func opened(_ fixture: GateFixture, _ flow: FlowControl) async throws -> Int64 {
        #expect(await flow.fail(isUnreached: true)?.isBroken == true)
        return try await fixture.probe(flow)
    }

    /// All due jobs may be one worker's, and the others idle.
    @Test func callsOfOneWorkerThatFailForLongAreEnough() async throws {
        try await GateFixture.with { fixture in
            try await fixture.add(workers: 2)
            let (flow, other) = (Self.flow(fixture), Self.flow(fixture))
            for token in [0, 1, 0, 1] { #expect(await flow.fail(token) == nil) }
            try await Task.sleep(for: .milliseconds(250))
            // Another gets through: it is this worker's matter.
            _ = try await fixture.take(other, 0)
            await other.succeeded(.notionWriter, began: .now)
            for token in [0, 1, 0, 1] { #expect(await flow.fail(token) == nil) }
            try await Task.sleep(for: .milliseconds(250))
            #expect(await flow.fail()?.isBroken == true)
        }
    }

    /// What the probe has not shown the first call does.
    @Test func theFirstFailureAfterAProbeOpensItAgain() async throws {
        try await GateFixture.with { fixture in
            try await fixture.add(workers: 1)
            let flow = Self.flow(fixture)
            await flow.succeeded(.notionWriter, began: .now, lease: try await Self.opened(fixture, flow))
            #expect(await flow.fail(began: .now)?.isBroken == true)
            await flow.succeeded(.notionWriter, began: .now, lease: try await fixture.probe(flow))
            // Another worker hears that it is on trial, and its success ends that.
            let other = Self.flow(fixture)
            _ = try await fixture.take(other, 0)
            await other.succeeded(.notionWriter, began: .now)
            #expect(await flow.fail(began: .now) == nil)
        }
    }

    /// A worker that has lost its network meanwhile says nothing of the peer.
    @Test func whatBeganToFailBeforeASuccessSaysNothing() async throws {
        try await GateFixture.with { fixture in
            try await fixture.add(workers: 3)
            let (ill, alsoIll, well) = (Self.flow(fixture), Self.flow(fixture), Self.flow(fixture))
            let began = ContinuousClock.now
            #expect(await ill.fail(isUnreached: true) == nil)
            _ = try await fixture.take(well, 0)
            await well.succeeded(.notionWriter, began: .now)
            #expect(await ill.fail(isUnreached: true, began: began) == nil)
            #expect(await alsoIll.fail(isUnreached: true, began: began) == nil)
            #expect(await alsoIll.fail(isUnreached: true) == nil)
            #expect(await ill.fail(isUnreached: true)?.isBroken == true)
        }
    }

    /// Two users whose every call fails keep nobody else out, as long as others' calls succeed.
    @Test func whoOpenedItLatelySaysNothingWhileOthersSucceed() async throws {
        try await GateFixture.with { fixture in
            let flow = Self.flow(fixture)
            for token in [0, 1] { #expect(await flow.fail(token) == nil) }
            #expect(await flow.fail()?.isBroken == true)
            // A long call that began before ends well while it is open, which does not close it.
            await flow.succeeded(.notionWriter, began: .now - .seconds(20))
            #expect(try await fixture.gate(fixture.peer)?.openedAt != nil)
            await flow.succeeded(.notionWriter, began: .now, lease: try await fixture.probe(flow))
            for token in [0, 1, 0, 1] { #expect(await flow.fail(token) == nil) }
            // Without a success it is an outage after all.
            try await fixture.pool.execute("UPDATE sync_gates SET succeeded_at = succeeded_at - interval '6 seconds'")
            #expect(await flow.fail()?.isBroken == true)
        }
    }

    /// However long it goes on: the faults are few users' own.
    @Test func faultsOfAFewOpenItOnceWhileOthersSucceed() async throws {
        try await GateFixture.with { fixture in
            let (odd, well) = (Self.flow(fixture), Self.flow(fixture))
            var openings = 0
            for _ in 1...12 {
                _ = try await fixture.take(well, 0)
                await well.succeeded(.notionWriter, began: .now)
                for token in [0, 1, 2, 0, 1] { _ = await odd.fail(token) }
                if try await fixture.gate(fixture.peer)?.openedAt != nil {
                    openings += 1
                    await well.succeeded(.notionWriter, began: .now, lease: try await fixture.probe(well))
                }
                try await Task.sleep(for: .milliseconds(1200))
            }
            #expect(openings == 1)
            // Where nobody's calls succeed any more it is an outage.
            try await fixture.pool.execute("UPDATE sync_gates SET succeeded_at = succeeded_at - interval '16 seconds'")
            for token in [0, 1, 2] { _ = await odd.fail(token) }
            #expect(try await fixture.gate(fixture.peer)?.openedAt != nil)
        }
    }

    /// Two workers that are ill do not take the probes in turn.
    @Test func whoHasProbedInVainLeavesTheNextToThoseWhoHaveNot() async throws {
        try await GateFixture.with { fixture in
            try await fixture.add(workers: 3)
            let (ill, alsoIll, well) = (Self.flow(fixture), Self.flow(fixture), Self.flow(fixture))
            for flow in [ill, alsoIll, well] { _ = await flow.fail(isUnreached: true) }
            for flow in [ill, alsoIll] {
                let lease = try await fixture.probe(flow)
                #expect(await flow.fail(isUnreached: true, lease: lease)?.isBroken == true)
            }
            try await Task.sleep(for: .milliseconds(500))
            for flow in [ill, alsoIll] { #expect(try await fixture.ask(flow).probeLease == nil) }
            #expect(try await fixture.ask(well).probeLease != nil)
        }
    }

    /// Those whose own calls fail would have it opened again before anybody else had a chance.
    @Test func whoseCallsOpenedItLetOthersCallFirst() async throws {
        try await GateFixture.with { fixture in
            let flow = Self.flow(fixture)
            for token in [0, 1, 0] { _ = await flow.fail(token) }
            await flow.succeeded(.notionWriter, began: .now, lease: try await fixture.probe(flow))
            func asks(_ token: Int) async throws -> FlowControl.Closing? {
                let gates = [fixture.peer, FlowControl.tokens[token]]
                return try await flow.take(0, passing: gates, paced: fixture.peer).closing
            }
            for token in [0, 1] {
                let closing = try #require(try await asks(token))
                #expect(closing.isBroken && closing.wait > .seconds(3) && closing.wait <= .seconds(5))
            }
            #expect(try await asks(2) == nil)
            await flow.succeeded(.notionWriter, began: .now)
            for token in [0, 1] { #expect(try await asks(token) == nil) }
        }
    }

    /// Where nobody else calls they do, after some seconds.
    @Test func whoseCallsOpenedItCallInTheEnd() async throws {
        try await GateFixture.with { fixture in
            let flow = Self.flow(fixture)
            for token in [0, 1, 0] { _ = await flow.fail(token) }
            await flow.succeeded(.notionWriter, began: .now, lease: try await fixture.probe(flow))
            try await fixture.pool.execute("UPDATE sync_gates SET recovered_at = recovered_at - interval '6 seconds'")
            let gates = [fixture.peer, FlowControl.tokens[0]]
            #expect(try await flow.take(0, passing: gates, paced: fixture.peer).closing == nil)
            #expect(await flow.fail()?.isBroken == true)
        }
    }

    /// A proxy of one worker's alone may answer for the peer.
    @Test func whoHasFoundItBrokenNeitherProbesFirstNorOpensItOnTrial() async throws {
        try await GateFixture.with { fixture in
            try await fixture.add(workers: 2)
            let (ill, well) = (Self.flow(fixture), Self.flow(fixture))
            for token in [0, 1] { _ = await ill.fail(token) }
            try await Task.sleep(for: .milliseconds(250))
            #expect(await ill.fail()?.isBroken == true)
            try await Task.sleep(for: .milliseconds(200))
            #expect(try await fixture.ask(ill).probeLease == nil, "another's first")
            await well.succeeded(.notionWriter, began: .now, lease: try await fixture.probe(well))
            // It spends no attempt all the same.
            #expect(await ill.fail(2)?.isBroken == true)
            #expect(try await fixture.gate(fixture.peer)?.openedAt == nil)
            #expect(await well.fail(2)?.isBroken == true)
            #expect(try await fixture.gate(fixture.peer)?.openedAt != nil)
        }
    }

    /// It is the same outage still, until a call succeeds.
    @Test func aFailureThatIsToldOfAfterAProbeIsOfTheOutage() async throws {
        try await GateFixture.with { fixture in
            let flow = Self.flow(fixture)
            let began = ContinuousClock.now
            for token in [0, 1, 0] { _ = await flow.fail(token) }
            await flow.succeeded(.notionWriter, began: .now, lease: try await fixture.probe(flow))
            #expect(await flow.fail(2, isRepeated: true, began: began)?.isBroken == true)
            #expect(try await fixture.gate(fixture.peer)?.openedAt == nil)
            await flow.succeeded(.notionWriter, began: .now)
            #expect(await flow.fail(2, isRepeated: true, began: began) == nil)
        }
    }

    /// The outage goes on for as long as no call succeeds, however often a probe does.
    @Test func itIsBrokenSinceItWasFirstOpened() async throws {
        try await GateFixture.with { fixture in
            let flow = Self.flow(fixture)
            func since() async throws -> Date? {
                try await fixture.pool.query("SELECT broken_since FROM sync_gates WHERE gate = \(fixture.peer)").first?
                    .decode("broken_since")
            }
            for token in [0, 1, 0] { _ = await flow.fail(token) }
            let first = try #require(try await since())
            for _ in 1...2 {
                await flow.succeeded(.notionWriter, began: .now, lease: try await fixture.probe(flow))
                #expect(await flow.fail()?.isBroken == true)
                #expect(try await since() == first)
            }
            await flow.succeeded(.notionWriter, began: .now, lease: try await fixture.probe(flow))
            _ = try await fixture.take(flow, 0)
            await flow.succeeded(.notionWriter, began: .now)
            #expect(try await since() == nil)
        }
    }

    @Test func aFailureThatIsToldTwiceCountsOnce() async throws {
        try await GateFixture.with { fixture in
            let flow = Self.flow(fixture)
            for token in [0, 1] {
                #expect(await flow.fail(token) == nil)
                #expect(await flow.fail(token, isRepeated: true) == nil)
            }
            #expect(await flow.fail()?.isBroken == true)
        }
    }

    @Test func aProbeThatIsGivenBackIsAnothersAtOnce() async throws {
        try await GateFixture.with { fixture in
            let (flow, other) = (Self.flow(fixture), Self.flow(fixture))
            let lease = try await Self.opened(fixture, flow)
            #expect(try await fixture.ask(other).probeLease == nil)
            // As the caller does that is cancelled.
            let giving = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                await flow.releaseProbe(of: .notionWriter, lease: lease)
            }
            await giving.value
            #expect(try await fixture.ask(other).probeLease != nil)
        }
    }

    @Test func aPeerThatIsClosedByHandIsNotProbedAndKeepsBothReasons() async throws {
        try await GateFixture.with { fixture in
            let flow = Self.flow(fixture)
            #expect(await flow.fail(isUnreached: true)?.isBroken == true)
            _ = try await GateList(pool: fixture.pool).close(
                fixture.peer,
                for: .seconds(60),
                reason: "It is being moved."
            )
            try await Task.sleep(for: .milliseconds(200))
            #expect(try await fixture.ask(flow).probeLease == nil)
            #expect(try await flow.openBreakers()[.notionWriter].map { $0 > .seconds(50) } == true)
            let gate = try #require(try await fixture.gate(fixture.peer))
            #expect(gate.openedReason == "It is down." && gate.openedBy == "w1")
            #expect(gate.reason == "It is being moved." && gate.closedBy != "w1")
            _ = try await fixture.pool.execute("UPDATE sync_gates SET closed_until = clock_timestamp()")
            #expect(try await fixture.ask(flow).probeLease != nil)
        }
    }

    /// What a cancelled job has heard of its last call holds for all.
    @Test func aRefusalIsRecordedByACancelledTask() async throws {
        try await GateFixture.with { fixture in
            let flow = fixture.flow()
            let refusing = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return await fixture.refuse(flow, asked: .seconds(3600))
            }
            _ = await refusing.value
            #expect(try await fixture.gate().map { $0.closedFor > .seconds(3500) } == true)
            _ = try await GateList(pool: fixture.pool).open(fixture.token)
            try await eventually(within: .seconds(5), "what was opened by hand") {
                flow.closing(of: [fixture.token]) == nil
            }
        }
    }
}
