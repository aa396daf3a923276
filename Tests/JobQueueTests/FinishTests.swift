import Foundation
import Postgres
import Testing

@testable import JobQueue

@Suite struct FinishTests {
    private func claimed(_ queue: QueueFixture) async throws -> ClaimedJob {
        try await queue.insert("ada")
        return try #require(try await queue.claim().first)
    }

    @Test func completedIsFinal() async throws {
        let queue = try await QueueFixture()
        let job = try await claimed(queue)
        #expect(try await queue.finish(job, .completed) == ["completed"])
        let row = try await queue.job(job.id)
        #expect(row.status == .completed)
        #expect(row.completedAt != nil)
        #expect(row.errorMessage == nil)
        #expect(row.worker == "w1", "it is known who did it")
    }

    @Test func failedSaysWhy() async throws {
        let queue = try await QueueFixture()
        let job = try await claimed(queue)
        #expect(try await queue.finish(job, .failed(error: "no token")) == ["failed"])
        let row = try await queue.job(job.id)
        #expect(row.errorMessage == "no token")
        #expect(row.completedAt != nil)
        let logs = try await queue.client.logs(of: job.id)
        #expect(logs.map(\.level) == ["ERROR"])
        #expect(logs.first?.message == "Sync failed: no token")
    }

    @Test func aRetryWaitsAndSpendsAnAttemptUntilNoneIsLeft() async throws {
        let queue = try await QueueFixture()
        var job = try await claimed(queue)
        try await queue.pool.execute("UPDATE sync_jobs SET max_attempts = 2")
        #expect(try await queue.finish(job, .retry(error: "down", notBefore: .seconds(30))) == ["queued"])
        var row = try await queue.job(job.id)
        #expect(row.attempt == 1)
        #expect(row.lastError == "down")
        #expect(row.errorMessage == nil)
        #expect(row.completedAt == nil)
        #expect(row.runAt.timeIntervalSinceNow > 20)
        #expect(try await queue.claim().isEmpty)
        try await queue.pool.execute("UPDATE sync_jobs SET run_at = now()")
        job = try #require(try await queue.claim().first)
        #expect(job.attempt == 2)
        #expect(try await queue.finish(job, .retry(error: "still down")) == ["failed"])
        row = try await queue.job(job.id)
        #expect(row.status == .failed)
        #expect(row.errorMessage == "still down")
    }

    @Test(
        arguments: [
            JobOutcome.snoozed(for: .seconds(60), reason: "closed", gate: "g1"),
            .suspended(for: .seconds(60), reason: "down", gate: "g1"),
        ]
    )
    func aQueueRowNamesItsGateUntilItIsClaimed(outcome: JobOutcome) async throws {
        let queue = try await QueueFixture()
        let job = try await claimed(queue)
        func gate() async throws -> String? {
            try await queue.pool.query("SELECT gate FROM sync_queue").first?.decode("gate")
        }
        #expect(try await gate() == nil)
        #expect(try await queue.finish(job, outcome) == ["queued"])
        #expect(try await gate() == "g1")
        try await queue.pool.execute("UPDATE sync_queue SET run_at = now()")
        #expect(try await queue.claim().count == 1)
        #expect(try await gate() == nil)
    }

    @Test(arguments: [JobOutcome.snoozed(for: .seconds(60), reason: "busy"), .released(.stopping)])
    func aPutOffOrReleasedJobSpendsNoAttempt(outcome: JobOutcome) async throws {
        let queue = try await QueueFixture()
        let job = try await claimed(queue)
        #expect(try await queue.finish(job, outcome) == ["queued"])
        let row = try await queue.job(job.id)
        #expect(row.attempt == 0)
        #expect((row.runAt.timeIntervalSinceNow > 30) == (outcome != .released(.stopping)))
    }

    /// A peer that asks for patience without end: the job neither runs nor fails, and that is to be seen.
    @Test func snoozesAreCountedAndTheirBeginningIsKept() async throws {
        let queue = try await QueueFixture()
        var job = try await claimed(queue)
        func snoozedSince() async throws -> Date? {
            try await queue.pool.query("SELECT snoozed_since FROM sync_queue").first?.decode(
                "snoozed_since",
                as: Date?.self
            ) ?? nil
        }
        var since: Date?
        for count in 1...3 {
            #expect(try await queue.finish(job, .snoozed(for: .milliseconds(1), reason: "busy")) == ["queued"])
            #expect(try await queue.job(job.id).snoozes == count)
            let now = try #require(try await snoozedSince())
            since = since ?? now
            #expect(now == since)
            try await queue.pool.execute("UPDATE sync_queue SET run_at = now() - interval '1 s'")
            job = try #require(try await queue.claim().first)
        }
        _ = try await queue.finish(job, .released(.stopping))
        #expect(try await queue.job(job.id).snoozes == 3)
        #expect(try await snoozedSince() == since, "it was not run to its end")
        // However short the time a peer asks for, it is not asked without pause.
        try await queue.pool.execute("UPDATE sync_jobs SET snoozes = 1000")
        try await queue.pool.execute("UPDATE sync_queue SET run_at = now() - interval '1 s'")
        job = try #require(try await queue.claim().first)
        _ = try await queue.finish(job, .snoozed(for: .milliseconds(1), reason: "busy"))
        #expect(try await queue.job(job.id).runAt.timeIntervalSinceNow > 50)
        try await queue.pool.execute("UPDATE sync_queue SET run_at = now() - interval '1 s'")
        job = try #require(try await queue.claim().first)
        _ = try await queue.finish(job, .retry(error: "down"))
        #expect(try await snoozedSince() == nil, "its attempts bound it")
    }

    @Test func onlyTheHolderFinishes() async throws {
        let queue = try await QueueFixture()
        let old = try await claimed(queue)
        #expect(try await queue.finish(old, .released(.stopping)) == ["queued"])
        let new = try #require(try await queue.claim(worker: "w2").first)
        #expect(try await queue.finish(old, .completed).isEmpty)
        #expect(try await queue.job(old.id).status == .running)
        #expect(try await queue.finish(new, .completed) == ["completed"])
        #expect(try await queue.finish(new, .failed(error: "late")).isEmpty)
        #expect(try await queue.job(old.id).status == .completed)
    }

    @Test func theStartTimeOutlivesRetriesButNotANewLife() async throws {
        let queue = try await QueueFixture()
        let first = try await claimed(queue)
        _ = try await queue.finish(first, .released(.stopping))
        let second = try #require(try await queue.claim().first)
        #expect(second.startedAt == first.startedAt)
        _ = try await queue.finish(second, .failed(error: "x"))
        try await queue.client.retry(first.id)
        let third = try #require(try await queue.claim().first)
        #expect(third.startedAt == first.startedAt)
        #expect(third.attempt == 1)
        _ = try await queue.finish(third, .completed)
        try await queue.client.retry(first.id)
        let fourth = try #require(try await queue.claim().first)
        #expect(fourth.startedAt > first.startedAt)
    }
}
