import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import NoteSync

/// What becomes of two requests of a note is recorded at the same time: a paused worker's late answer, and what the
/// worker that holds the job now does with a request of its own. Neither reads on what was there before the other.
@Suite(.database(migrations: SyncSchema.migrations), .timeLimit(.minutes(2)))
struct MeetingRequestsTests {
    private static let user = UserID("ada")

    /// A note with a create whose outcome is unknown, and the two who know more of it.
    private struct Note {
        let database: TestDatabase
        let paused: PostgresConnection
        let holder: PostgresConnection
        let job: ClaimedJob
        let first: Intent
        let second: Intent

        init() async throws {
            database = try TestDatabase.current
            paused = try await database.connect()
            holder = try await database.connect()
            let id = JobID()
            job = NeverSentTests.claimed(id)
            try await paused.execute(
                "INSERT INTO sync_jobs (job_id, user_id, status, lease) VALUES (\(id.rawValue), 'ada', 'running', 7)"
            )
            first = NeverSentTests.intent()
            var second = first
            second.request = RequestID()
            second.replaced = first.request
            self.second = second
            try await run([JournalEntry(begun: first)], paused, isHolder: true)
            let outcome = UnknownOutcome(noteID: first.noteID, request: first.request, reason: "The answer was lost.")
            try await run([JournalEntry(unknown: outcome)], paused, isHolder: true)
        }

        /// - Returns: the requests that were begun.
        @discardableResult
        func run(_ entries: [JournalEntry], _ connection: PostgresConnection, isHolder: Bool) async throws -> [Int64] {
            let batch = JournalBatch(entries)
            let proof: PostgresQuery? = isHolder ? "SELECT" : nil
            var begun: [Int64] = []
            for query in batch.locks(job: job, isHolder: isHolder) { try await connection.execute(query) }
            for (index, query) in batch.statements(job: job, proof: proof).enumerated() {
                let rows = try await connection.query(query)
                if index == 0, !batch.begun.isEmpty { begun = try rows.map { try $0.decode("request") } }
            }
            return begun
        }

        /// One does its part and commits while the other waits for it.
        ///
        /// - Returns: the requests that the second has begun.
        func inTurn(
            _ one: [JournalEntry],
            isHolder: Bool,
            then other: [JournalEntry]
        ) async throws -> [Int64] {
            let (a, b) = isHolder ? (holder, paused) : (paused, holder)
            try await a.runScript("BEGIN")
            try await run(one, a, isHolder: isHolder)
            try await b.runScript("BEGIN")
            let waiting = Task { try await run(other, b, isHolder: !isHolder) }
            let pid = try #require(await b.backendProcessID)
            try await eventually("one that waits for the other") {
                try await !database.pool.query(
                    "SELECT FROM pg_stat_activity WHERE pid = \(pid) AND wait_event_type = 'Lock'"
                ).isEmpty
            }
            try await a.runScript("COMMIT")
            let begun = try await waiting.value
            try await b.runScript("COMMIT")
            return begun
        }

        func answer(of intent: Intent, page: String = "page-1") -> JournalEntry {
            JournalEntry(
                settled: RequestReference(noteID: intent.noteID, request: intent.request),
                page: PageRecord(
                    noteID: intent.noteID,
                    pageID: page,
                    modifiedAt: intent.modifiedAt,
                    hash: intent.hash,
                    untitledNumber: nil,
                    databaseID: intent.databaseID,
                    origin: .created(by: intent.request, key: intent.idempotencyKey, replacing: nil)
                )
            )
        }

        func refusal(of intent: Intent) -> JournalEntry {
            JournalEntry(withdrawn: RequestReference(noteID: intent.noteID, request: intent.request))
        }

        /// What is on record: open requests, requests that lost their row, the note's pages and those beside them.
        func expectOnRecord(open: Int = 0, unheard: Int = 0, pages: Int = 0, surplus: Int = 0) async throws {
            let row = try #require(
                try await database.pool.query(
                    """
                    SELECT (SELECT count(*) FROM sync_intents) AS open, (SELECT count(*) FROM sync_unheard_requests) AS unheard,
                        (SELECT count(*) FROM sync_state) AS pages, (SELECT count(*) FROM sync_surplus_pages) AS surplus
                    """
                ).first
            )
            #expect(try row.decode("open") == open)
            #expect(try row.decode("unheard") == unheard)
            #expect(try row.decode("pages") == pages)
            #expect(try row.decode("surplus") == surplus)
        }

        func close() async {
            await paused.close()
            await holder.close()
        }
    }

    private func withNote(_ body: (Note) async throws -> Void) async throws {
        let note = try await Note()
        try await body(note)
        await note.close()
    }

    @Test func aCreateIsNotBegunWhileTheAnswerOfTheOneBeforeIsRecorded() async throws {
        try await withNote { note in
            let begun = try await note.inTurn(
                [note.answer(of: note.first)],
                isHolder: false,
                then: [JournalEntry(begun: note.second)]
            )
            #expect(begun.isEmpty)
            try await note.expectOnRecord(pages: 1)
        }
    }

    @Test(arguments: [true, false]) func aLateAnswerMeetsARefusal(_ refusalIsFirst: Bool) async throws {
        try await withNote { note in
            try await note.run([JournalEntry(begun: note.second)], note.holder, isHolder: true)
            let refusal = [note.refusal(of: note.second)]
            let answer = [note.answer(of: note.first)]
            _ = try await note.inTurn(
                refusalIsFirst ? refusal : answer,
                isHolder: refusalIsFirst,
                then: refusalIsFirst ? answer : refusal
            )
            try await note.expectOnRecord(pages: 1)
        }
    }

    @Test(arguments: [true, false]) func aLateRefusalMeetsARefusal(_ lateIsFirst: Bool) async throws {
        try await withNote { note in
            try await note.run([JournalEntry(begun: note.second)], note.holder, isHolder: true)
            let late = [note.refusal(of: note.first)]
            let other = [note.refusal(of: note.second)]
            _ = try await note.inTurn(
                lateIsFirst ? late : other,
                isHolder: !lateIsFirst,
                then: lateIsFirst ? other : late
            )
            try await note.expectOnRecord()
        }
    }

    @Test(arguments: [true, false]) func aLateAnswerMeetsAnAnswer(_ lateIsFirst: Bool) async throws {
        try await withNote { note in
            try await note.run([JournalEntry(begun: note.second)], note.holder, isHolder: true)
            let late = [note.answer(of: note.first)]
            let other = [note.answer(of: note.second, page: "page-2")]
            _ = try await note.inTurn(
                lateIsFirst ? late : other,
                isHolder: !lateIsFirst,
                then: lateIsFirst ? other : late
            )
            try await note.expectOnRecord(pages: 1, surplus: 1)
        }
    }
}
