import FlowControl
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// A writer that comes and goes within minutes meets a note in doubt as late as can be: one more unknown outcome has it
/// held.
@Suite(.timeLimit(.minutes(2)))
struct DoubtfulOrderTests {
    @Test func aNoteInDoubtIsSentAfterTheOthers() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 1
        options.sync.noteConcurrency = 1
        try await withInstallation(options) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .drop(.before, reset: true), match: [.title: "Title of n1"]))
            try await sync.sync()
            #expect(try await sync.intents().map(\.unknownCount) == [1])
            sync.faults()
            sync.notes(20)
            // The writer is well, as another user's note shows.
            let bob = Credentials(googleToken: "g", notionToken: "ntn_bob", databaseID: "db-of-bob")
            try await sync.credentials.store(bob, of: UserID("bob"))
            #expect(try await sync.sync(user: "bob").processedNotes == 20)
            try await sync.recordWriterSuccess()
            #expect(try await sync.sync().processedNotes == 20)
            // Lists come in no order: only by chance would it be the last.
            let titles = sync.simulator.pages.pages(databaseID: SyncInstallation.databaseID).map(\.title)
            #expect(titles.count == 20 && titles.last == "Title of n1", "\(titles)")
        }
    }

    /// The breaker opens for all while a create is under way, twice within minutes.
    @Test func anUnknownOutcomeOfAnOutageForAllIsLeftOutOfTheCountOnce() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 1
        options.sync.flow.breaker = BreakerConfiguration()
        options.sync.flow.breaker.settling = .milliseconds(100)
        try await withInstallation(options) { sync in
            sync.notes(1)
            var job: JobRecord?
            for round in 1...2 {
                sync.faults(
                    .strike(.create, .latency(milliseconds: 1500, jitter: 0), match: [.title: "Title of n1"]),
                    .strike(.create, .drop(.before, reset: true), match: [.title: "Title of n1"])
                )
                // Somebody else's call has succeeded since, so that this is no trial.
                try await sync.recordWriterSuccess()
                let id = if let job { job.id } else { try await sync.insert() }
                let put = job
                async let ended = if let put { sync.again(put) } else { sync.settled(id) }
                try await eventually(within: .seconds(20), "the create") { sync.struck.first == 1 }
                try await sync.pool.execute(
                    """
                    INSERT INTO sync_gates (gate, opened_at, opened_reason, cooldown, probe_at)
                    VALUES (\(GateName(.notionWriter)), clock_timestamp(), 'It is down', 60, clock_timestamp() + interval '1 hour')
                    ON CONFLICT (gate) DO UPDATE SET opened_at = excluded.opened_at, probe_at = excluded.probe_at,
                        opened_reason = excluded.opened_reason
                    """
                )
                job = try await ended
                #expect(job?.status == .queued && job?.attempt == 0, "\(job?.lastError ?? "")")
                #expect(try await sync.intents().map(\.unknownCount) == [round])
                #expect(try await UnknownWrites(pool: sync.pool).list().map(\.next) == [.sentAgain])
                // It is not to begin before the next round.
                try await sync.pool.execute("UPDATE sync_queue SET gate = NULL")
                _ = try await GateList(pool: sync.pool).open(GateName(.notionWriter))
            }
            sync.faults()
            try await sync.recordWriterSuccess()
            let last = try await sync.again(try #require(job))
            #expect((last.status, last.processedNotes, last.failedNotes) == (.completed, 1, 0))
            #expect(sync.pages.count == 1)
        }
    }
}
