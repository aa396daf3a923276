import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// Every request that may have made a page is heard, or on record until a person has seen to it.
@Suite(.timeLimit(.minutes(5)))
struct UnheardRequestTests {
    private static let titled = [FaultRule.Criterion.title: "Title of n1"]

    private func withLostAnswers(_ times: Int?, _ body: (SyncInstallation) async throws -> Void) async throws {
        var options = UnknownCreateTests.options(.ignore)
        options.sync.unknownLimit = 10
        options.sync.noteAttempts = 1
        try await withInstallation(options) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .drop(.after, reset: true), times: times, match: Self.titled))
            try await body(sync)
        }
    }

    /// Syncs until the note's create has been sent so many times.
    private func send(_ times: Int, _ sync: SyncInstallation) async throws {
        while sync.pages(of: "n1").count < times {
            let before = sync.pages(of: "n1").count
            try await sync.recordWriterSuccess()
            try await sync.sync()
            try #require(sync.pages(of: "n1").count == before + 1)
        }
    }

    @Test func threeLostCreatesAreThreeSurplusPages() async throws {
        try await withLostAnswers(3) { sync in
            let began = Date()
            try await send(4, sync)
            #expect(try await sync.intents().isEmpty)
            let surplus = try await UnknownWrites(pool: sync.pool).surplusPages()
            #expect(surplus.map(\.pageID) == Array(repeating: "unknown", count: 3))
            // By the database's clock, which is this machine's.
            #expect(surplus.allSatisfy { line in line.sentAt.map { (began...Date()).contains($0) } ?? false })
            #expect(Set(surplus.compactMap(\.sentAt)).count == 3)
        }
    }

    @Test(arguments: [1, 2, 3]) func theOtherPagesOfASettledCreateStayListed(_ sent: Int) async throws {
        try await withLostAnswers(nil) { sync in
            try await send(sent, sync)
            let writes = UnknownWrites(pool: sync.pool)
            let write = try #require(try await writes.list().first)
            #expect(
                write.sentAt.count == sent && write.count == sent && write.databaseID == SyncInstallation.databaseID
            )
            let page = try #require(sync.pages(of: "n1").last?.id)
            let user = UserID(SyncInstallation.user)
            #expect(try await writes.settleAsWritten(user: user, note: "n1", page: page) == sent - 1)
            #expect(try await sync.surplusPages()["n1"]?.count ?? 0 == (sent > 1 ? sent : 0))
            sync.faults()
            try await sync.sync(full: true)
            #expect(sync.pages(of: "n1").count == sent)
            #expect(try await sync.surplusPages()["n1"]?.count ?? 0 == (sent > 1 ? sent : 0))
        }
    }

    /// What is certain of the last request says nothing of the two before it.
    @Test func aRefusalGivesTheRowBackToTheRequestBefore() async throws {
        try await withLostAnswers(2) { sync in
            try await send(2, sync)
            let before = try #require(try await UnknownWrites(pool: sync.pool).list().first)
            sync.faults(.strike(.create, .message("Conflict occurred while saving"), match: Self.titled))
            try await sync.recordWriterSuccess()
            #expect(try await sync.sync().failedNotes == 1)
            let after = try #require(try await UnknownWrites(pool: sync.pool).list().first)
            #expect(after.sentAt == before.sentAt && after.unknownCount == 2)
            sync.faults()
            try await sync.recordWriterSuccess()
            #expect(try await sync.sync().failedNotes == 0)
            #expect(sync.pages(of: "n1").count == 3)
            #expect(try await sync.surplusPages()["n1"]?.count == 2)
        }
    }

    /// The answer to the first comes when two more have been sent: its page is known then.
    @Test func aLateAnswerTakesItsOwnRequestOffTheRecord() async throws {
        var options = UnknownCreateTests.options(.ignore)
        options.writerTimeout = .seconds(20)
        options.sync.unknownLimit = 10
        options.sync.noteAttempts = 1
        try await withInstallation(options) { sync in
            sync.notes(1)
            sync.faults(
                .strike(.create, .latency(milliseconds: 9_000, jitter: 0), times: 1, match: Self.titled),
                .strike(.create, .drop(.after, reset: true), times: 2, after: 1, match: Self.titled)
            )
            let id = try await sync.insert()
            try await eventually("a create under way") { sync.simulator.requests.report.maxConcurrentWriterCalls == 1 }
            try await sync.pool.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(id.rawValue)")
            try await sync.pool.execute("UPDATE sync_intents SET open_until = now()")
            for sent in 1...2 {
                try await sync.recordWriterSuccess()
                try await sync.sync()
                #expect(sync.pages(of: "n1").count == sent)
            }
            let three = try #require(try await UnknownWrites(pool: sync.pool).list().first)
            #expect(three.sentAt.count == 3 && three.unknownCount == 3)
            try await eventually(within: .seconds(20), "the late answer") { try await sync.states()["n1"] != nil }
            let two = try #require(try await UnknownWrites(pool: sync.pool).list().first)
            #expect(two.sentAt == Array(three.sentAt.dropFirst()) && two.unknownCount == 2)
            sync.faults()
            try await sync.sync(full: true)
            #expect(try await sync.surplusPages() == ["n1": ["unknown", "unknown"]])
            #expect(sync.pages(of: "n1").count == 3)
        }
    }

    /// An older request's answer says nothing of a newer one, of the same version of the note.
    @Test func aLateAnswerLeavesTheFailureOfANewerRequest() async throws {
        var options = UnknownCreateTests.options(.ignore)
        options.writerTimeout = .seconds(20)
        options.sync.noteAttempts = 1
        try await withInstallation(options) { sync in
            sync.notes(1)
            try await sync.sync()
            sync.edit("n1")
            // The run that is paused knows of a failure.
            sync.faults(.strike(.update, .message("Conflict occurred while saving"), match: Self.titled))
            #expect(try await sync.sync().failedNotes == 1)
            sync.forgetCalls()
            sync.faults(
                .strike(.update, .latency(milliseconds: 6_000, jitter: 0), times: 1, match: Self.titled),
                .strike(.update, .drop(.after, reset: true), after: 1, match: Self.titled)
            )
            let id = try await sync.insert()
            try await eventually("an update under way") { sync.simulator.requests.report.maxConcurrentWriterCalls == 1 }
            try await sync.pool.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(id.rawValue)")
            try await sync.pool.execute("UPDATE sync_intents SET open_until = now()")
            try await sync.pool.execute(
                "UPDATE sync_peer_successes SET succeeded_at = clock_timestamp() + interval '1 hour'"
            )
            #expect(try await sync.sync().failedNotes == 1)
            #expect(try await sync.failedNotes() == ["n1": "held"])
            #expect(try await sync.intents().map(\.unknownCount) == [2])
            try await eventually(within: .seconds(20), "the late answer") {
                try await sync.intents().map(\.unknownCount) == [1]
            }
            #expect(try await sync.failedNotes() == ["n1": "held"])
        }
    }

    /// The job's log and the worker's say why nothing happens, and until when, once.
    @Test func aJobThatWaitsForAnotherRunsRequestSaysSo() async throws {
        try await withInstallation { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .latency(milliseconds: 3_500, jitter: 0), times: 1, match: Self.titled))
            let id = try await sync.insert()
            try await eventually("a create under way") { sync.simulator.requests.report.maxConcurrentWriterCalls == 1 }
            try await sync.pool.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(id.rawValue)")
            let job = try await sync.sync()
            let lines = try await sync.lines("INFO", of: job)
            #expect(lines.count { $0.hasPrefix("1 note waits for a request") } == 1, "\(lines)")
            let own = sync.log.lines.filter { $0.contains("1 note waits for a request that an earlier run has sent") }
            #expect(own.count == 1 && own.allSatisfy { $0.hasPrefix("notice") }, "\(own)")
            for line in own + lines.filter({ $0.contains("waits") }) {
                #expect(line.contains(/is known at \d\d:\d\d:\d\d UTC at the latest, in \d+ s/), "\(line)")
            }
        }
    }
}
