import Foundation
import Logging
import Postgres
import TestSupport
import Testing

@testable import JobQueue

/// What a job waits for, and what a worker says of itself, as people are told.
@Suite("What jobs wait for")
struct HoldTests {
    @Test func aDueJobWaitsForWhatIsThere() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("anna")
        func hold() async throws -> JobHold? { try await queue.client.hold(on: id, behind: ["p", "q"]) }
        #expect(try await hold() == .noWorker)
        try await queue.pool.execute(
            "INSERT INTO sync_workers (instance, worker, slots, version) VALUES (gen_random_uuid(), 'w1', 1, '1')"
        )
        #expect(try await hold() == .slot(isFree: true))
        try await queue.pool.execute("UPDATE sync_workers SET running = 1")
        #expect(try await hold() == .slot(isFree: false))
        try await queue.pool.execute("UPDATE sync_workers SET claims_held_since = '2026-01-02 03:04:05Z'")
        #expect(try await hold() == .claimsHeld(since: Date(timeIntervalSince1970: 1_767_323_045)))
        try await queue.pool.execute(
            """
            INSERT INTO sync_gates (gate, closed_at, closed_until, reason, closed_by)
            VALUES ('p', now(), now() + interval '1 hour', 'Moved.', 'ops'), ('r', now(), now() + interval '1 day', 'x', 'ops')
            """
        )
        guard case .gate(let closed)? = try await hold() else { throw Unexpected(hold: try await hold()) }
        #expect(
            closed.name == "p" && closed.closedUntil != nil && closed.closedBy == "ops" && closed.reason == "Moved."
        )
        try await queue.pool.execute(
            "INSERT INTO sync_gates (gate, opened_at, opened_reason) VALUES ('q', now(), 'Gone.')"
        )
        guard case .gate(let broken)? = try await hold() else { throw Unexpected(hold: try await hold()) }
        #expect(broken.name == "q" && broken.outOfOrderSince != nil && broken.reason == "Gone.")
        // Who has been silent for so long is no worker.
        try await queue.pool.execute("UPDATE sync_workers SET last_seen_at = now() - interval '2 minutes'")
        #expect(try await hold() == .noWorker)
    }

    /// Without a gate, as where its worker alone does not reach a peer.
    @Test func aJobThatIsPutOffSaysWhy() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("anna")
        let job = try #require(try await queue.claim().first)
        let before = try await queue.client.databaseTime()
        _ = try await queue.finish(job, .suspended(for: .seconds(60), reason: "The peer can't be reached.", gate: nil))
        guard case .later(_, "The peer can't be reached."?)? = try await queue.client.hold(on: id) else {
            throw Unexpected(hold: try await queue.client.hold(on: id))
        }
        let at = try #require(try await queue.job(id).lastErrorAt)
        #expect(at >= before && at <= Date().addingTimeInterval(60))
        // What comes to its end without an error leaves the time of the last one.
        try await queue.pool.execute("UPDATE sync_jobs SET run_at = now()")
        _ = try await queue.finish(try #require(try await queue.claim().first), .completed)
        #expect(try await queue.job(id).lastErrorAt == at)
    }

    private struct Unexpected: Error {
        let hold: JobHold?
    }

    @Test func aWorkerSaysThatItHoldsItsClaims() async throws {
        let queue = try await QueueFixture()
        let hold = ClaimHold()
        func held() async throws -> [Date?] { try await queue.client.workers().map(\.claimsHeldSince) }
        try await queue.withWorker(hold: hold) {
            try await eventually(within: .seconds(60), "the worker's row") { try await held() == [nil] }
            hold.hold(for: .seconds(3600))
            try await eventually(within: .seconds(60), "word of the hold") {
                try await held().first.map { $0 != nil } == true
            }
            // A claim that was on its way when the hold began still takes what it finds.
            let id = try await queue.insert("anna")
            // A worker that is slow to send its next heartbeat is absent until it does.
            try await eventually(within: .seconds(60), "what the job waits for") {
                let since = try #require(try await held().first ?? nil)
                return try await queue.client.hold(on: id) == .claimsHeld(since: since)
            }
            hold.release()
            try await eventually(within: .seconds(60), "the end of the hold") {
                let status = try await queue.job(id).status
                return try await held() == [nil] && status == .completed
            }
        }
    }
}
