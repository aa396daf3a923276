import CurlHTTP
import FlowControl
import Foundation
import JobQueue
import Logging
import Postgres
import TestSupport
import Testing

@testable import NoteSync
@testable import PeerSimulator

/// What was sent is heard out, whoever holds the job by then, and recorded under the request's own number.
@Suite(.timeLimit(.minutes(5)))
struct HearOutTests {
    private static let takings = [
        "UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = ",
        "UPDATE sync_jobs SET status = 'queued' WHERE job_id = ",
        "UPDATE sync_jobs SET status = 'failed' WHERE job_id = ",
        "UPDATE sync_jobs SET status = 'completed' WHERE job_id = ",
        "DELETE",
    ]

    private func take(_ id: JobID, by statement: String, _ sync: SyncInstallation) async throws {
        guard statement == "DELETE" else {
            return try await sync.pool.withConnection { connection in
                _ = try await connection.query(PostgresQuery(stringLiteral: statement + "'\(id)'"))
            }
        }
        try await sync.pool.withTransaction { connection in
            try await connection.execute("SELECT FROM sync_jobs WHERE job_id = \(id.rawValue) FOR UPDATE")
            try await connection.execute("DELETE FROM sync_logs WHERE job_id = \(id.rawValue)")
            try await connection.execute("DELETE FROM sync_jobs WHERE job_id = \(id.rawValue)")
        }
    }

    /// Takes a job away while four creates are under way.
    @Test(arguments: takings) func aJobThatIsTakenAwayMakesNoPageTwice(_ statement: String) async throws {
        try await withInstallation { sync in
            sync.notes(12)
            sync.faults(.strike(.create, .latency(milliseconds: 700, jitter: 0), times: 4))
            let id = try await sync.insert()
            try await eventually("four creates under way") {
                sync.simulator.requests.report.maxConcurrentWriterCalls == 4
            }
            try await take(id, by: statement, sync)
            if statement.contains("'queued'") {
                #expect(try await sync.ended(id, as: .completed).processedNotes == 12)
            } else {
                #expect(try await sync.sync().processedNotes == 12)
            }
            #expect(sync.pages.count == 12, "each once")
            #expect(try await sync.states().count == 12)
            #expect(try await sync.intents().isEmpty)
            #expect(try await sync.surplusPages().isEmpty)
            #expect(sync.calls.creates == 12, "the answers were waited for")
            #expect(
                try await sync.pool.query("SELECT message FROM sync_logs WHERE level <> 'INFO'").isEmpty,
                "nothing was called unknown"
            )
        }
    }

    @Test(arguments: takings) func anUpdateUnderWayIsRecordedToo(_ statement: String) async throws {
        try await withInstallation { sync in
            sync.notes(3)
            try await sync.sync()
            for number in 1...3 { sync.edit("n\(number)") }
            sync.faults(.strike(.update, .latency(milliseconds: 700, jitter: 0), times: 3))
            sync.forgetCalls()
            let id = try await sync.insert()
            try await eventually("three updates under way") {
                sync.simulator.requests.report.maxConcurrentWriterCalls == 3
            }
            try await take(id, by: statement, sync)
            if statement.contains("'queued'") {
                _ = try await sync.ended(id, as: .completed)
            } else {
                #expect(try await sync.sync().processedNotes == 3)
            }
            #expect(sync.pages.map(\.appended) == Array(repeating: ["Text", "Edited"], count: 3))
            #expect(sync.calls.updates == 3)
        }
    }

    /// What is heard of a cancelled job is told in its log; a deleted one has none, and that undoes nothing.
    @Test func aNoteUnderWayElsewhereIsWaitedForAndWhatIsHeardIsRecorded() async throws {
        try await withInstallation { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .latency(milliseconds: 900, jitter: 0), times: 1))
            let id = try await sync.insert()
            try await eventually("a create under way") { sync.simulator.requests.report.maxConcurrentWriterCalls == 1 }
            try await take(id, by: Self.takings[0], sync)
            let next = try await sync.sync()
            #expect(next.processedNotes == 1)
            #expect(sync.calls.creates == 1, "the other run's answer was waited for")
            let cancelled = try await sync.job(id)
            #expect(cancelled.status == .cancelled)
            #expect(try await sync.lines("INFO", of: cancelled, note: "n1").first?.hasPrefix("Created page") == true)
        }
    }

    /// The answer of the first request comes after its time, when another has been sent.
    @Test(arguments: [false, true]) func theFirstAnswerMakesTheNotesPageAndTheOtherIsSurplus(
        _ secondAnswersFirst: Bool
    ) async throws {
        var options = SyncInstallation.Options()
        options.sync.unknownLimit = 10
        try await withInstallation(options) { sync in
            sync.notes(1)
            let delay = secondAnswersFirst ? 5_000 : 4_000
            let titled = [FaultRule.Criterion.title: "Title of n1"]
            let second = secondAnswersFirst ? 0 : 7_000
            sync.faults(
                .strike(.create, .latency(milliseconds: delay, jitter: 0), times: 1, match: titled),
                .strike(.create, .latency(milliseconds: second, jitter: 0), times: 1, after: 1, match: titled)
            )
            let id = try await sync.insert()
            try await eventually("a create under way") { sync.simulator.requests.report.maxConcurrentWriterCalls == 1 }
            try await take(id, by: Self.takings[0], sync)
            // As if its time had passed.
            try await sync.pool.execute("UPDATE sync_intents SET open_until = now()")
            #expect(try await sync.sync().status == .completed)
            // What the first was to make stands there without an id as well, if the second answers first.
            try await eventually("both answers on record") {
                let surplus = try await sync.surplusPages()["n1"]
                return surplus?.count == 1 && surplus != ["unknown"]
            }
            #expect(sync.pages.count == 2)
            let page = try #require(try await sync.states()["n1"]?.page)
            let first = try #require(sync.pages.min { $0.created < $1.created }?.id)
            #expect(page == first)
            #expect(try await sync.surplusPages()["n1"] != [page])
            try await eventually("nothing is open") { try await sync.intents().isEmpty }
            _ = try await sync.sync(full: true)
            #expect(sync.pages.count == 2)
        }
    }

    @Test func aDatabaseThatIsAwayLongerThanTheLeaseLosesNoAnswer() async throws {
        try await withInstallation { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .latency(milliseconds: 600, jitter: 0)))
            let id = try await sync.insert()
            try await eventually("creates under way") { sync.simulator.requests.report.maxConcurrentWriterCalls == 2 }
            // The answers can't be recorded, and meanwhile the job is another's.
            let blocker = try await sync.database.connect()
            try await blocker.runScript("BEGIN; LOCK TABLE sync_state IN EXCLUSIVE MODE")
            try await eventually("the answers") { sync.pages.count == 2 }
            try await sync.pool.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(id.rawValue)")
            await blocker.close()
            try await eventually("the record of both") { try await sync.states().count == 2 }
            #expect(try await sync.sync().processedNotes == 2)
            #expect(sync.pages.count == 2)
        }
    }
}
