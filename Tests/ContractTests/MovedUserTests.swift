import JobQueue
import Postgres
import TestSupport
import Testing

@testable import NoteSync
@testable import PeerSimulator

/// A user whose credentials come to name another database while a create for the former one is under way.
@Suite(.timeLimit(.minutes(5)))
struct MovedUserTests {
    private static let former = "0123456789abcdef0123456789abcdef"
    private static let new = "fedcba9876543210fedcba9876543210"

    private func slowly(_ milliseconds: Int, after calls: Int) -> FaultRule {
        .strike(
            .create,
            .latency(milliseconds: milliseconds, jitter: 0),
            times: 1,
            after: calls,
            match: [.title: "Title of n1"]
        )
    }

    /// Begins a create that takes four seconds, and takes the job from its worker, which still waits for the answer
    /// while its time seems to have passed.
    private func leaveCreateUnderWay(_ sync: SyncInstallation) async throws -> JobID {
        sync.forgetCalls()
        sync.faults(slowly(4_000, after: 0), slowly(9_000, after: 1))
        let id = try await sync.insert()
        try await eventually("a create under way") { sync.simulator.requests.report.maxConcurrentWriterCalls == 1 }
        try await sync.pool.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(id.rawValue)")
        try await sync.pool.execute("UPDATE sync_intents SET open_until = now()")
        return id
    }

    /// The answer for the former database comes while the create for the new one is under way.
    @Test(arguments: [false, true]) func aLateAnswerLeavesThePlaceToTheOpenCreate(_ hadPage: Bool) async throws {
        var options = SyncInstallation.Options()
        options.sync.databaseChanges = .recreate
        try await withInstallation(options) { sync in
            sync.notes(1)
            if hadPage { #expect(try await sync.sync().processedNotes == 1) }
            try await sync.storeCredentials(database: Self.former)
            let first = try await leaveCreateUnderWay(sync)
            try await sync.storeCredentials(database: Self.new)
            #expect(try await sync.sync().processedNotes == 1)
            let made = try #require(sync.simulator.pages.pages(databaseID: Self.new).first)
            #expect(try await sync.states()["n1"]?.page == made.id)
            let late = sync.simulator.pages.pages(databaseID: Self.former).map(\.id)
            #expect(late.count == 1)
            #expect(try await sync.surplusPages() == ["n1": late])
            let warnings = try await sync.lines("WARNING", of: try await sync.job(first), note: "n1")
            let other = hadPage ? "the note has another" : "the note's is being made in another database"
            #expect(warnings.contains { $0.hasPrefix("Surplus page \(late.first ?? ""): \(other)") }, "\(warnings)")
            try await sync.sync()
            try await sync.sync(full: true)
            #expect(sync.simulator.pages.pages(databaseID: Self.new).map(\.id) == [made.id])
            #expect(try await sync.intents().isEmpty)
            #expect(try await sync.failedNotes().isEmpty)
        }
    }

    /// The log of a job says that an answer is missing; so it does when that has come.
    @Test func anAnswerThatWasMissedIsTold() async throws {
        try await withInstallation { sync in
            sync.notes(1)
            let id = try await leaveCreateUnderWay(sync)
            let found = try await sync.pool.query(.markAbandonedIntents(user: nil, recordingGrace: .zero)).count
            #expect(found == 1)
            let job = try await sync.job(id)
            let missed = try await sync.lines("WARNING", of: job, note: "n1")
            #expect(missed.count == 1 && missed[0].contains("should the answer still come, a line here says so"))
            try await eventually("the record") { try await sync.states().count == 1 }
            let told = try await sync.lines("INFO", of: job, note: "n1")
            #expect(
                told.first
                    == "The answer to the create whose outcome was unknown has come since: what became of it is on record."
            )
            #expect(told.last?.hasPrefix("Created page") == true, "\(told)")
        }
    }
}
