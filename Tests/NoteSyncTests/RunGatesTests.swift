import JobQueue
import Logging
import Support
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
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    #expect(await limiter.acquire())
                    inside.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                    await Task.yield()
                    inside.withLock { $0.now -= 1 }
                    limiter.release()
                }
            }
        }
        #expect(inside.withLock { $0.most } == 3)
        #expect(inside.withLock { $0.now } == 0)
    }

    @Test func aCancelledWaiterLeavesItsPlace() async throws {
        let limiter = ConcurrencyLimiter(limit: 1)
        #expect(await limiter.acquire())
        let waiter = Task { await limiter.acquire() }
        waiter.cancel()
        #expect(await !waiter.value)
        #expect(limiter.waiting == 0)
        limiter.release()
        #expect(await limiter.acquire())
    }
}

@Suite struct NoteSlotsTests {
    private static let intent = JournalEntry.log(.info, "stands for an intent")

    /// Enters, and returns when it waits in vain.
    private func waiter(_ slots: NoteSlots) async -> Task<NoteSlots.Admission, any Error> {
        let task = Task { try await slots.enter(with: Self.intent) }
        for _ in 0..<100 { await Task.yield() }
        return task
    }

    @Test func aSlotIsHandedOverWithTheIntentOfWhoWaitsLongest() async throws {
        let slots = NoteSlots(limit: 1, within: ConcurrencyLimiter(limit: 1))
        guard case .free = try await slots.enter(with: Self.intent) else { return #expect(Bool(false)) }
        #expect(slots.handOver() == nil, "nobody waits")
        let first = await waiter(slots)
        let second = await waiter(slots)
        let candidate = try #require(slots.handOver())
        candidate.admit(.success(.now))
        guard case .handedOver(.success) = try await first.value else { return #expect(Bool(false)) }
        // The first gives it back as any slot: nothing is committed for the second.
        slots.leave()
        guard case .free = try await second.value else { return #expect(Bool(false)) }
    }

    @Test func whoIsCancelledIsNotHandedASlot() async throws {
        let slots = NoteSlots(limit: 1, within: ConcurrencyLimiter(limit: 1))
        _ = try await slots.enter(with: Self.intent)
        let waiting = await waiter(slots)
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(slots.handOver() == nil)
        slots.leave()
        guard case .free = try await slots.enter(with: Self.intent) else { return #expect(Bool(false)) }
    }

    @Test func anotherJobThatWaitsForTheWorkersPlaceGoesFirst() async throws {
        let worker = ConcurrencyLimiter(limit: 1)
        let (mine, theirs) = (NoteSlots(limit: 1, within: worker), NoteSlots(limit: 1, within: worker))
        _ = try await mine.enter(with: Self.intent)
        let next = await waiter(mine)
        let other = await waiter(theirs)
        #expect(worker.waiting > 0)
        #expect(mine.handOver() == nil)
        mine.leave()
        _ = try await other.value
        theirs.leave()
        _ = try await next.value
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

@Suite struct WriterHealthTests {
    @Test func aWriterInDoubtIsCalledByOneAtATime() {
        let health = WriterHealth(isInDoubt: false, limit: 3)
        #expect(health.admits() && health.admits())
        #expect(!health.becameAmbiguous())
        #expect(!health.isWell)
        #expect(health.admits())
        #expect(!health.admits())
        health.calledOff()
        #expect(health.admits())
        health.succeeded(began: .now)
        #expect(health.admits() && health.admits())
    }

    @Test func soManyUnknownOutcomesInARowEndTheRun() {
        let health = WriterHealth(isInDoubt: false, limit: 3)
        #expect(!health.becameAmbiguous())
        #expect(!health.becameAmbiguous())
        health.succeeded(began: .now)
        #expect(!health.becameAmbiguous())
        #expect(!health.becameAmbiguous())
        health.answered()
        #expect(health.becameAmbiguous())
    }

    @Test func aCallThatBeganBeforeTheDoubtProvesNothing() {
        let health = WriterHealth(isInDoubt: false, limit: 2)
        let before = ContinuousClock.now
        #expect(!health.becameAmbiguous())
        let doubted = ContinuousClock.now
        health.succeeded(began: before)
        #expect(!health.isWell)
        #expect(!health.hasSucceeded(since: doubted))
        health.succeeded(began: .now)
        #expect(health.isWell)
        #expect(health.hasSucceeded(since: doubted))
        #expect(!health.becameAmbiguous())
        health.succeeded(began: before)
        #expect(health.becameAmbiguous())
    }

    @Test func oneMoreIsEnoughWhereTheLastOutcomeIsUnknown() {
        let health = WriterHealth(isInDoubt: true, limit: 3)
        #expect(health.admits())
        #expect(!health.admits())
        #expect(health.becameAmbiguous())
        #expect(!health.admits(), "until the run has ended nobody finds out the same")
    }

    @Test func nobodyCallsWhileTheRunEnds() {
        let health = WriterHealth(isInDoubt: false, limit: 3)
        for isLast in [false, false, true] {
            #expect(health.admits())
            #expect(health.failed() == isLast)
        }
        #expect(!health.admits())
    }
}
