import JobQueue
import Support
import TestSupport
import Testing

@testable import NoteSync
@testable import PeerSimulator

/// Large notes of several jobs are held one batch at a time.
@Suite(.timeLimit(.minutes(2)))
struct LargeNoteMemoryTests {
    @Test func roomIsGivenBackWithItsLastHolder() async throws {
        let memory = NoteMemory()
        var room: NoteRoom? = try await memory.room(for: 16 << 20)
        let holder = Task { [part = room?.part(1 << 20)] in
            try? await Task.sleep(for: .milliseconds(300))
            withExtendedLifetime(part) {}
        }
        room = nil
        let began = ContinuousClock.now
        var rest: NoteRoom? = try await memory.room(for: 15 << 20)
        #expect(rest != nil && .now - began < .milliseconds(150), "only a part of it is held")
        rest = nil
        let second = try await memory.room(for: 64 << 20)
        #expect(.now - began > .milliseconds(150), "what is larger than all the room waits for all of it")
        let large = Task { _ = try await memory.room(for: 8 << 20) }
        let small = try await memory.room(for: 1 << 20)
        withExtendedLifetime(small) {}
        try await Task.sleep(for: .milliseconds(100))
        large.cancel()
        await #expect(throws: CancellationError.self) { try await large.value }
        withExtendedLifetime(second) {}
        await holder.value
    }

    /// Who is cancelled while the next wants less does not leave that waiting.
    @Test func whoGivesUpHoldsUpNobody() async throws {
        let limiter = ConcurrencyLimiter(limit: 4)
        #expect(await limiter.acquire(3))
        let much = Task { await limiter.acquire(4) }
        try await eventually { limiter.waiting == 1 }
        let little = Task { await limiter.acquire(1) }
        try await eventually { limiter.waiting == 2 }
        much.cancel()
        #expect(await !much.value)
        #expect(await little.value)
        limiter.release(4)
        #expect(await limiter.acquire(4))
    }

    /// A job with one large note under way does not keep small ones of others, and large ones come one after the other.
    @Test func largeNotesOfSeveralJobsComeOneAfterTheOther() async throws {
        try await withInstallation { sync in
            let text = String(repeating: "large ", count: 1 << 20)
            for number in 1...3 { sync.note("large-\(number)", text: text) }
            sync.faults(.strike(.create, .latency(milliseconds: 500, jitter: 0)))
            let began = ContinuousClock.now
            let job = try await sync.sync()
            #expect(job.status == .completed && job.processedNotes == 3)
            #expect(.now - began > .milliseconds(1400), "not side by side")
            #expect(sync.pages.count == 3)
        }
    }

    /// A run that has ended while it waited for others' large notes holds its slot no longer.
    @Test func aRunThatHasEndedWaitsForNoRoom() async throws {
        var options = SyncInstallation.Options()
        options.writerTimeout = .seconds(60)
        try await withInstallation(options) { sync in
            let bob = Credentials(googleToken: "g", notionToken: "ntn_bob", databaseID: "db-of-bob")
            try await sync.credentials.store(bob, of: UserID("bob"))
            func note(_ id: String, _ text: String) -> String {
                #"{"id":"\#(id)","title":"\#(id)","content":"\#(text)","created_at":"2026-01-02T03:04:05","#
                    + #""modified_at":"2026-01-02T03:04:05","labels":[],"images":[]}"#
            }
            let large = note("large", String(repeating: "large ", count: 3 << 19))
            let ada = [FaultRule.Criterion.databaseID: SyncInstallation.databaseID]
            sync.faults(
                .strike(.create, .hang(seconds: 50, .before), match: [.databaseID: bob.databaseID, .title: "large"]),
                .strike(.create, .latency(milliseconds: 2000, jitter: 0), match: ada),
                .strike(.create, .message("API token is invalid."), match: ada),
                .strike(.notes, .body(code: 200, text: #"{"notes":[\#(note("first", "")),\#(large)],"count":2}"#))
            )
            _ = try await sync.insert(user: "bob")
            try await eventually(within: .seconds(20), "bob's large note") { sync.struck[0] == 1 }
            let id = try await sync.insert()
            try await eventually(within: .seconds(20), "ada's first note") { sync.struck[2] == 1 }
            let began = ContinuousClock.now
            #expect(try await sync.ended(id, as: .failed).errorMessage?.contains("token") == true)
            #expect(.now - began < .seconds(15), "no sooner than bob's note")
        }
    }
}
