import FlowControl
import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

@Suite(.timeLimit(.minutes(5)))
struct ThrottlingTests {
    @Test(arguments: [
        Fault.rateLimited(status: 429, retryAfter: 1), .rateLimited(status: 500, retryAfter: 1),
        .status(code: 429, detail: .null, headers: ["Retry-After": "1"]),
    ])
    func theTimeAskedForIsKeptAndNoTryIsSpent(_ fault: Fault) async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 1
        options.sync.noteConcurrency = 1
        try await withInstallation(options) { sync in
            sync.notes(2)
            sync.faults(.strike(.create, fault, times: 1))
            let began = ContinuousClock.now
            let job = try await sync.sync()
            #expect(ContinuousClock.now - began >= .seconds(1))
            #expect(job.status == .completed)
            #expect(job.attempt == 1)
            #expect((job.processedNotes, job.failedNotes) == (2, 0))
            #expect(sync.calls.creates == 3)
            #expect(try await sync.lines("INFO", of: job).contains { $0.contains("limits the rate") })
            #expect(try await sync.lines("WARNING", of: job).isEmpty)
        }
    }

    @Test(arguments: NotionFaultTests.throttled) func withoutATimeItBacksOff(_ message: String) async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 1
        try await withInstallation(options) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .message(message), times: 1))
            let job = try await sync.sync()
            #expect(job.processedNotes == 1)
            sync.edit("n1")
            sync.faults(.strike(.update, .message(message), times: 1))
            #expect(try await sync.sync().processedNotes == 1)
            #expect(sync.pages.map(\.updates) == [1])
        }
    }

    @Test func whyAJobWaitsStandsInItsRecord() async throws {
        try await withInstallation { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .rateLimited(status: 429, retryAfter: 3600)))
            let job = try await sync.sync()
            #expect(job.status == .queued && job.attempt == 0 && job.errorMessage == nil)
            #expect(job.lastError?.isEmpty == false, "what syncctl and the list of jobs show")
        }
    }

    /// Notion counts refused requests too.
    @Test func nobodyCallsWhileNotionAsksToBeLeftAlone() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteConcurrency = 2
        try await withInstallation(options) { sync in
            sync.notes(40)
            sync.faults(.strike(.create, .rateLimited(status: 429, retryAfter: 1), times: 1, after: 4))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect(job.attempt == 1)
            #expect(job.processedNotes == 40)
            #expect(sync.calls.creates == 41)
            let times = sync.pages.map(\.created.microseconds).sorted()
            let early = times.count { $0 < times[3] + 900_000 }
            #expect(
                early <= 8,
                "those before, and what the other slot has sent until the refusal is heard"
            )
        }
    }

    @Test func aNotionThatKeepsRefusingPutsTheJobOff() async throws {
        try await withInstallation { sync in
            sync.notes(10)
            sync.faults(.strike(.create, .rateLimited(status: 429, retryAfter: 0), after: 3))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.attempt == 0, "no attempt of the job is spent either")
            #expect(waiting.runAt.timeIntervalSinceNow > 1)
            #expect(try await sync.failedNotes().isEmpty)
            #expect(try await sync.intents().isEmpty)
            sync.faults()
            #expect(try await sync.again(waiting).processedNotes == 10)
            #expect(sync.pages.count == 10)
        }
    }

    /// A user whom Notion has sent away for long must not hold a slot that others could have.
    @Test(arguments: [
        Fault.rateLimited(status: 429, retryAfter: 61), .rateLimited(status: 529, retryAfter: 3600),
        .rateLimited(status: 500, retryAfter: 90),
    ])
    func aLongWaitSnoozesTheJob(_ fault: Fault) async throws {
        try await withInstallation { sync in
            sync.notes(3)
            sync.faults(.strike(.create, fault, times: 1))
            let began = ContinuousClock.now
            let waiting = try await sync.sync()
            #expect(ContinuousClock.now - began < .seconds(20))
            #expect(waiting.status == .queued)
            #expect(waiting.attempt == 0, "no attempt is spent")
            #expect(waiting.runAt.timeIntervalSinceNow > 50)
            #expect(try await sync.intents().isEmpty)
            sync.faults()
            #expect(try await sync.again(waiting).processedNotes == 3)
            #expect(sync.pages.count == 3)
        }
    }

    /// Else the next job of the token waits for permits that nobody uses.
    @Test func aCancelledJobGivesItsPermitsBack() async throws {
        var options = SyncInstallation.Options()
        options.sync.flow.notionPace = PaceLimit(permitsPerSecond: 3, burst: 3)
        try await withInstallation(options) { sync in
            sync.notes(8)
            sync.faults(.strike(.create, .latency(milliseconds: 5000, jitter: 0)))
            let id = try await sync.insert()
            try await eventually(within: .seconds(20), "permits for what waits") { try await permitsTaken(sync) > 2 }
            try await sync.pool.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(id.rawValue)")
            try await eventually(within: .seconds(20), "what is left of the permits") {
                try await permitsTaken(sync) == sync.calls.creates * 2
            }
            #expect(sync.calls.creates <= 1, "none where it was cancelled before the first call")
        }
    }

    /// Permits of the one token that is used, without those given back.
    private func permitsTaken(_ sync: SyncInstallation) async throws -> Int {
        let rows = try await sync.pool.query(
            "SELECT permits + permits_before AS taken FROM sync_gates WHERE scope = 'token'"
        )
        return try rows.first?.decode("taken") ?? 0
    }
}
