import FlowControl
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import NoteSync
@testable import PeerSimulator

/// A worker that finds out what a peer is worth before it records what became of its request.
@Suite(.timeLimit(.minutes(1)))
struct LateRecordTests {
    /// Its request's own time is over by then: nobody else is to find it and count it once more.
    @Test func anOutcomeThatItsWorkerRecordsIsFoundOnce() async throws {
        var options = UnknownCreateTests.options(.ignore)
        options.sync.noteAttempts = 1
        options.sync.ambiguousInARow = 1
        options.sync.flow.breaker = BreakerConfiguration()
        options.sync.flow.breaker.settling = .seconds(2)
        try await withInstallation(options) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .hang(seconds: 5, .before), times: 1))
            let id = try await sync.insert()
            var found = 0
            try await eventually(within: .seconds(20), "the worker's word") {
                found += try await sync.pool.query(.markAbandonedIntents(user: nil, recordingGrace: .zero)).count
                return try await sync.lines("WARNING", of: sync.job(id)).contains {
                    $0.hasPrefix("Unknown create: the page")
                }
            }
            #expect(found == 0)
            #expect(try await sync.pool.query("SELECT FROM sync_intents WHERE unknown_count = 1").count == 1)
        }
    }

    /// One that has lost its lease hears it out, and nobody knows whether it lives.
    @Test func anOutcomeThatNobodyRecordsIsFound() async throws {
        try await withInstallation { sync in
            let id = JobID()
            func open() async throws -> Int {
                try await sync.pool.query(.markAbandonedIntents(user: nil, recordingGrace: .zero)).count
            }
            try await sync.pool.execute(
                """
                INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                    lease, open_until)
                VALUES ('eve', 'n1', 'create', gen_random_uuid(), '1:a', now(), \(id.rawValue), 5, now())
                """
            )
            try await sync.pool.execute(
                "INSERT INTO sync_jobs (job_id, user_id, status, lease) VALUES (\(id.rawValue), 'eve', 'running', 5)"
            )
            try await sync.pool.execute(
                """
                INSERT INTO sync_queue (job_id, user_id, priority, run_at, lease, lease_expires_at)
                VALUES (\(id.rawValue), 'eve', 0, now(), 5, now() + interval '1 hour')
                """
            )
            #expect(try await open() == 0)
            try await sync.pool.execute("UPDATE sync_queue SET lease_expires_at = now() WHERE user_id = 'eve'")
            #expect(try await open() == 1)
        }
    }
}
