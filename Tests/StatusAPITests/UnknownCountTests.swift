import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

/// Writes of unknown outcome are counted from the moment their lease or time is over, whoever finds them, and once each.
@Suite("Counts of unknown writes", .migrated)
struct UnknownCountTests {
    private struct Counts: Equatable {
        var creates: Double?
        var updates: Double?
    }

    private func counts(_ fixture: StatusFixture) async throws -> Counts {
        let text = try await fixture.request("/metrics").text
        func value(_ name: String) -> Double? {
            text.split(separator: "\n").first { $0.hasPrefix(name + " ") }?.split(separator: " ").last.flatMap {
                Double($0)
            }
        }
        return Counts(creates: value("sync_unknown_creates_total"), updates: value("sync_unknown_updates_total"))
    }

    /// Requests of a worker that is gone: two whose time has passed, and one of a running job, with more time, whose
    /// lease is over when `isOver`.
    private func leaveRequests(_ fixture: StatusFixture, isOver: Bool) async throws -> JobID {
        let id = try await fixture.insertJob(user: "zoe")
        let pool = fixture.database.pool
        try await pool.execute("UPDATE sync_jobs SET lease = 7, status = 'running' WHERE job_id = \(id.rawValue)")
        try await pool.execute(
            """
            UPDATE sync_queue SET lease = 7, lease_expires_at = now() + \(isOver ? -1.0 : 60.0) * interval '1 second'
            WHERE job_id = \(id.rawValue)
            """
        )
        try await pool.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                lease, open_until, created_at, notion_page_id, request)
            VALUES ('zoe', 'n1', 'create', gen_random_uuid(), '1:a', now(), gen_random_uuid(), 1, now() - interval '1 hour',
                    now() - interval '2 hours', NULL, 1),
                ('zoe', 'n2', 'update', gen_random_uuid(), '1:a', now(), gen_random_uuid(), 1, now() - interval '1 hour',
                    now() - interval '2 hours', 'p', 2),
                ('zoe', 'n3', 'create', gen_random_uuid(), '1:a', now(), \(id.rawValue), 7, now() + interval '1 hour',
                    now() - interval '2 minutes', NULL, 3)
            """
        )
        return id
    }

    /// No worker runs. Whatever becomes of the requests afterwards, what was counted stays so.
    @Test func theyAreCountedWithoutAWorkerAndStaySo() async throws {
        try await StatusFixture.with { fixture in
            let pool = fixture.database.pool
            let job = try await leaveRequests(fixture, isOver: false)
            #expect(try await counts(fixture) == Counts(creates: 1, updates: 1), "one has its lease")
            try await pool.execute("UPDATE sync_queue SET lease_expires_at = now() WHERE job_id = \(job.rawValue)")
            let all = Counts(creates: 2, updates: 1)
            #expect(try await counts(fixture) == all)
            let writes = UnknownWrites(pool: pool)
            #expect(try await writes.list().count == 3, "as many as are listed")

            #expect(try await writes.settleAsNotWritten(user: UserID("zoe"), note: "n1") == 1)
            #expect(try await counts(fixture) == all, "a person has settled it")
            #expect(try await writes.retry(user: UserID("zoe"), note: "n2") == 0)
            #expect(try await counts(fixture) == all, "a person has recorded it")
            try await fixture.jobs.cancel(job)
            #expect(try await counts(fixture) == all, "its job was cancelled when its lease was over")
            try await pool.execute("DELETE FROM sync_intents WHERE keep_note_id = 'n3'")
            #expect(try await counts(fixture) == all, "its answer has come after all")
        }
    }

    /// What a job sent that is cancelled while its worker lives is heard out: it is not unknown.
    @Test func whatIsHeardInTimeIsNotCounted() async throws {
        try await StatusFixture.with { fixture in
            let job = try await leaveRequests(fixture, isOver: false)
            try await fixture.jobs.cancel(job)
            try await fixture.database.pool.execute("DELETE FROM sync_intents WHERE keep_note_id = 'n3'")
            #expect(try await counts(fixture) == Counts(creates: 1, updates: 1))
        }
    }

    /// A worker that finds them and adds its counts changes nothing of what was said before.
    @Test func aWorkerThatFindsThemDoesNotCountThemAgain() async throws {
        try await StatusFixture.with { fixture in
            _ = try await leaveRequests(fixture, isOver: true)
            let all = Counts(creates: 2, updates: 1)
            #expect(try await counts(fixture) == all)
            try await fixture.withWorker(["SYNC_WORKER_NAME": "w1", "SYNC_LEASE": "10s"]) { worker in
                // No server that has just started is looked at: by the second look at the latest, half a lease later.
                try await eventually(within: .seconds(120), "all are found and added") {
                    #expect(try await counts(fixture) == all)
                    return try await fixture.database.pool.query(
                        """
                        SELECT FROM sync_metrics WHERE name = 'sync_unknown_creates_total' AND value = 2
                            AND NOT EXISTS (SELECT FROM sync_intents WHERE unknown_at IS NULL)
                        """
                    ).count == 1
                }
                worker.send(signal: SIGTERM)
                #expect(try await worker.waitForExit() == .code(0), "\(worker.transcript)")
            }
            #expect(try await counts(fixture) == all)
        }
    }
}
