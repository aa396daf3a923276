import JobQueue
import Logging
import Synchronization
import Testing

@testable import NoteSync

/// A value that many tasks change.
private final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) {
        mutex = Mutex(value)
    }

    func withLock<R: Sendable>(_ body: @Sendable (inout Value) -> R) -> R {
        mutex.withLock { body(&$0) }
    }
}

@Suite struct ConcurrencyLimiterTests {
    @Test func neverLetsMoreInThanTheLimit() async throws {
        let limiter = ConcurrencyLimiter(limit: 3)
        let inside = Shared((now: 0, most: 0))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await limiter.run {
                        inside.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                        await Task.yield()
                        inside.withLock { $0.now -= 1 }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(inside.withLock { $0.most } == 3)
        #expect(inside.withLock { $0.now } == 0)
    }

    @Test func aCancelledWaiterLeavesItsPlace() async throws {
        let limiter = ConcurrencyLimiter(limit: 1)
        let (held, release) = AsyncStream<Void>.makeStream()
        let (entered, enter) = AsyncStream<Void>.makeStream()
        let holder = Task {
            try await limiter.run {
                enter.finish(); for await _ in held {}
            }
        }
        for await _ in entered {}
        let waiter = Task { try await limiter.run {} }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
        release.finish()
        try await holder.value
        try await limiter.run {}
    }
}

@Suite struct DatabaseProofTests {
    @Test func oneTriesAloneUntilTheDatabaseIsProven() async {
        let proof = DatabaseProof()
        let inside = Shared((now: 0, most: 0, tries: 0))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    await proof.whileTrying {
                        inside.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1), $0.tries + 1) }
                        for _ in 0..<10 { await Task.yield() }
                        inside.withLock { $0.now -= 1 }
                        return false
                    }
                }
            }
        }
        #expect(inside.withLock { $0.most } == 1)
        #expect(inside.withLock { $0.tries } == 20)
    }

    @Test func oneSuccessOpensTheWayForAll() async {
        let proof = DatabaseProof()
        await proof.whileTrying { true }
        // Both are inside at once, or neither would ever leave.
        let meeting = Shared(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    await proof.whileTrying {
                        meeting.withLock { $0 += 1 }
                        while meeting.withLock({ $0 }) < 2 { await Task.yield() }
                        return true
                    }
                }
            }
        }
    }

    @Test func anyWriteProvesIt() async {
        let proof = DatabaseProof()
        await proof.whileTrying {
            proof.proved()
            await proof.whileTrying { true }
            return false
        }
        await proof.whileTrying { false }
        await proof.whileTrying { false }
    }
}

@Suite struct ThrottleGateTests {
    @Test func waitsAsLongAsThePeerAsks() {
        let gate = ThrottleGate()
        let now = ContinuousClock.now
        #expect(!gate.isClosed)
        gate.refused(retryAfter: .seconds(7), now: now)
        #expect(gate.standing(now: now).wait == .seconds(7))
        #expect(gate.isClosed)
        #expect(gate.standing(now: now + .seconds(7)).wait == .zero)
    }

    @Test func backsOffByItselfAndLosesPatience() {
        let gate = ThrottleGate()
        var now = ContinuousClock.now
        for closing in 0...ThrottleGate.patience {
            #expect(!gate.standing(now: now).isOver)
            gate.refused(retryAfter: nil, now: now)
            let wait = gate.standing(now: now).wait
            #expect(wait <= .seconds(60))
            #expect(wait >= min(.seconds(30), .milliseconds(500) * (1 << min(closing, 6))))
            now += wait
        }
        #expect(gate.standing(now: now).isOver)
        gate.succeeded()
        gate.refused(retryAfter: nil, now: now)
        #expect(!gate.standing(now: now).isOver)
    }

    @Test func refusalsOfCallsUnderWayCloseItOnce() {
        let gate = ThrottleGate()
        let now = ContinuousClock.now
        for _ in 0..<100 { gate.refused(retryAfter: nil, now: now) }
        #expect(!gate.standing(now: now).isOver)
        #expect(gate.standing(now: now).wait <= .seconds(1))
    }
}
