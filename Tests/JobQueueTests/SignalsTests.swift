import Support
import TestSupport
import Testing

@testable import JobQueue

@Suite struct WakeupTests {
    @Test func aSignalBeforeTheWaitIsKept() async {
        let wakeup = Wakeup()
        wakeup.signal()
        wakeup.signal()
        #expect(await wakeup.wait(atMost: .seconds(60)))
        #expect(await !wakeup.wait(atMost: .milliseconds(10)))
    }

    @Test func aWaitEndsWithTheSignalOrTheCancellation() async {
        let wakeup = Wakeup()
        let waiting = Task { await wakeup.wait(atMost: .seconds(60)) }
        await Task.yield()
        wakeup.signal()
        #expect(await waiting.value)
        let cancelled = Task { await wakeup.wait(atMost: .seconds(60)) }
        cancelled.cancel()
        #expect(await !cancelled.value)
    }

    @Test func noSignalIsLostInAStorm() async {
        let wakeup = Wakeup()
        let rounds = 2000
        let waiter = Task {
            var woken = 0
            while woken < rounds, await wakeup.wait(atMost: .seconds(30)) { woken += 1 }
            return woken
        }
        let sender = Task {
            while !Task.isCancelled {
                wakeup.signal()
                await Task.yield()
            }
        }
        #expect(await waiter.value == rounds)
        sender.cancel()
    }
}

@Suite struct WakeupBudgetTests {
    @Test func aBurstIsFreeAndAFloodIsNot() {
        let start = ContinuousClock.now
        var budget = WakeupBudget(now: start)
        for _ in 1...20 { #expect(budget.spend(now: start) == .zero) }
        var now = start
        for _ in 1...100 { now += budget.spend(now: now) }
        // Twenty a second from then on.
        #expect(now - start > .seconds(4.9) && now - start < .seconds(5.1))
        // It recovers by itself.
        #expect(budget.spend(now: now + .seconds(2)) == .zero)
    }
}

@Suite struct LeaseGuardTests {
    @Test func closesByItsOwnClock() async throws {
        let lease = LeaseGuard(validUntil: .now + .milliseconds(50))
        #expect(lease.loss == nil)
        let calls = Atomic<Int>(0)
        lease.whenLost { calls.add(1, ordering: .relaxed) }
        try await eventually("the end of the lease") {
            lease.announceLoss()
            return calls.load(ordering: .relaxed) == 1
        }
        #expect(lease.loss == .expired)
        lease.announceLoss()
        #expect(calls.load(ordering: .relaxed) == 1, "once")
        #expect(throws: JobQueueError.self) { try lease.check() }
    }

    @Test func staysOpenWhileExtendedAndClosesWhenRevoked() {
        let lease = LeaseGuard(validUntil: .now)
        lease.extend(until: .now + .seconds(60))
        let calls = Atomic<Int>(0)
        lease.whenLost { calls.add(1, ordering: .relaxed) }
        lease.announceLoss()
        #expect(lease.loss == nil && calls.load(ordering: .relaxed) == 0)
        lease.revoke()
        #expect(lease.loss == .revoked && calls.load(ordering: .relaxed) == 1)
        lease.extend(until: .now + .seconds(600))
        #expect(lease.loss == .revoked)
        lease.whenLost { calls.add(1, ordering: .relaxed) }
        #expect(calls.load(ordering: .relaxed) == 2, "at once")
    }
}

@Suite struct BackoffTests {
    @Test func spreadsBetweenZeroAndTheCeiling() {
        let backoff = Backoff(base: .seconds(1), cap: .seconds(60))
        for (retry, ceiling) in [(0, 1), (1, 2), (5, 32), (6, 60), (1000, 60)] {
            let waits = (0..<500).map { _ in backoff.wait(retry: retry).seconds }
            #expect(waits.allSatisfy { $0 >= 0 && $0 <= Double(ceiling) })
            // Full jitter: both halves are used.
            #expect(waits.contains { $0 < Double(ceiling) / 2 })
            #expect(waits.contains { $0 > Double(ceiling) / 2 })
        }
    }

    @Test func neverComesBeforeThePeerAllows() {
        let backoff = Backoff(base: .seconds(1), cap: .seconds(2))
        #expect((0..<100).allSatisfy { _ in backoff.wait(retry: 0, atLeast: .seconds(9)) == .seconds(9) })
    }
}
