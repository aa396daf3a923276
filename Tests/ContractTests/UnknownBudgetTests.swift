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

/// Writes whose outcome is unknown: who finds them, how many there can be, and what an outage leaves.
@Suite(.timeLimit(.minutes(5)))
struct UnknownBudgetTests {
    private func insertOpenIntent(_ sync: SyncInstallation, job: JobID, openUntil: String) async throws {
        try await sync.pool.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                lease, request, open_until)
            VALUES ('ada', 'n1', 'create', gen_random_uuid(), '2:0:0', '2026-01-02T03:01:00Z', \(job.rawValue), 7, 8,
                clock_timestamp() + \(openUntil)::text::interval)
            """
        )
    }

    /// The only worker has died, and nobody is there to find it.
    @Test func aWriteWhoseLeaseIsOverIsListedThoughNoWorkerRuns() async throws {
        try await withInstallation { sync in
            let id = JobID()
            try await sync.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, run_at)
                VALUES (\(id.rawValue), 'ada', 'queued', now() + interval '1 day')
                """
            )
            try await sync.pool.execute(
                "UPDATE sync_jobs SET status = 'running', lease = 7 WHERE job_id = \(id.rawValue)"
            )
            try await sync.pool.execute("DELETE FROM sync_queue")
            try await sync.pool.execute(
                """
                INSERT INTO sync_queue (job_id, user_id, priority, run_at, lease, lease_expires_at)
                VALUES (\(id.rawValue), 'ada', 0, now(), 7, now() + interval '1 hour')
                """
            )
            try await insertOpenIntent(sync, job: id, openUntil: "1 hour")
            let writes = UnknownWrites(pool: sync.pool)
            #expect(try await writes.list().isEmpty, "its worker holds it")
            try await sync.pool.execute("UPDATE sync_queue SET lease_expires_at = now() - interval '1 second'")
            #expect(try await writes.list().map(\.noteID) == ["n1"])
        }
    }

    @Test(arguments: ["cancelled", "failed", "queued", "completed"], ["its time has passed", "it was rescued"])
    func unknownWritesAreListedWithoutTheUsersNextJob(_ status: String, _ cause: String) async throws {
        try await withInstallation { sync in
            let id = JobID()
            try await sync.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, run_at)
                VALUES (\(id.rawValue), 'ada', \(status), now() + interval '1 day')
                """
            )
            try await insertOpenIntent(sync, job: id, openUntil: "1 hour")
            let writes = UnknownWrites(pool: sync.pool)
            let open = try await writes.list()
            #expect(open.map(\.noteID) == ["n1"])
            #expect(open.first?.openUntil != nil, "its worker may still hear of it")
            let finder = AbandonedWriteFinder(
                pool: sync.pool,
                interval: .milliseconds(50),
                logger: .init(label: "test")
            )
            let finding = Task { try await finder.run() }
            if cause == "it was rescued" {
                try await sync.pool.execute("UPDATE sync_jobs SET rescued_lease = 7")
            } else {
                try await sync.pool.execute("UPDATE sync_intents SET open_until = clock_timestamp()")
            }
            try await eventually("the finding") { try await sync.intents().first?.isUnknown == true }
            finding.cancel()
            _ = await finding.result
            #expect(try await sync.intents().map(\.unknownCount) == [1])
            let job = try await sync.job(id)
            #expect(try await sync.lines("WARNING", of: job, note: "n1").count == 1)
            #expect(try await writes.list().count == 1)
        }
    }

    /// A person has a record open, and another user's intent is being settled.
    @Test func whatSomebodyHasLockedHidesNoUnknownWriteOfOthers() async throws {
        try await withInstallation { sync in
            let users = ["ada", "bob", "eve"]
            for user in users {
                let id = JobID()
                try await sync.pool.execute(
                    """
                    WITH job AS (
                        INSERT INTO sync_jobs (job_id, user_id, status) VALUES (\(id.rawValue), \(user), 'failed')
                    )
                    INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at,
                        job_id, lease, request, open_until)
                    VALUES (\(user), 'n1', 'create', gen_random_uuid(), '2:0:0', now(), \(id.rawValue), 7, 8, now())
                    """
                )
            }
            @Sendable func unknown() async throws -> [String] {
                try await sync.pool.query("SELECT user_id FROM sync_intents WHERE unknown_at IS NOT NULL ORDER BY 1")
                    .map { try $0.decode("user_id") }
            }
            let finder = AbandonedWriteFinder(
                pool: sync.pool,
                interval: .milliseconds(50),
                logger: .init(label: "test")
            )
            let outside = try await sync.database.connect()
            try await outside.runScript(
                """
                BEGIN;
                SELECT FROM sync_jobs WHERE user_id = 'ada' FOR UPDATE;
                SELECT FROM sync_intents WHERE user_id = 'bob' FOR UPDATE
                """
            )
            let finding = Task { try await finder.run() }
            try await eventually("the finding") { try await unknown() == ["ada", "eve"] }
            await outside.close()
            try await eventually("the finding of the other") { try await unknown() == users }
            finding.cancel()
            _ = await finding.result
            #expect(
                try await sync.pool.query("SELECT FROM sync_intents WHERE unknown_count <> 1").isEmpty,
                "each counted once"
            )
        }
    }

    /// Also when other notes of the run have been written meanwhile, which would let it be sent again at once.
    @Test func whatIsWaitedForInVainIsOnRecordBeforeItIsSentAgain() async throws {
        try await withInstallation { sync in
            let other = JobID()
            try await sync.pool.execute(
                "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (\(other.rawValue), 'ada', 'cancelled')"
            )
            sync.notes(3)
            try await insertOpenIntent(sync, job: other, openUntil: "1 second")
            #expect(try await sync.sync().processedNotes == 3)
            let abandoned = try await sync.job(other)
            #expect(try await sync.lines("WARNING", of: abandoned, note: "n1").count == 1)
            #expect(try await sync.intents().isEmpty)
        }
    }

    @Test func aWriteUnderWayIsNotListed() async throws {
        try await withInstallation { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .latency(milliseconds: 400, jitter: 0)))
            let id = try await sync.insert()
            try await eventually("a create under way") { sync.simulator.requests.report.maxConcurrentWriterCalls > 0 }
            #expect(try await UnknownWrites(pool: sync.pool).list().isEmpty)
            _ = try await sync.settled(id)
        }
    }

    /// It made six pages in two jobs.
    @Test(arguments: [1, 3], [false, true])
    func aCreateThatAlwaysOutlastsItsTimeoutMakesTwoPagesAtMost(_ count: Int, _ isUnreadable: Bool) async throws {
        var options = SyncInstallation.Options()
        options.writerTimeout = .milliseconds(300)
        options.sync.unknownCooldown = .seconds(3)
        try await withInstallation(options) { sync in
            sync.notes(count)
            let fault: Fault =
                isUnreadable ? .afterwards(.body(code: 201, text: "<html>")) : .hang(seconds: 0.6, .after)
            sync.faults(.strike(.create, fault, match: [.title: "Title of n1"]))
            for round in 1...3 {
                if count > 1 { sync.edit("n2", text: "Round \(round)") }
                let job = try await sync.sync()
                #expect(job.failedNotes == 1)
            }
            try await eventually("the end of all calls") { sync.pages.count >= count }
            #expect(sync.pages(of: "n1").count <= 2)
            if count > 1 { #expect(try await sync.failedNotes() == ["n1": "held"]) }
        }
    }

    /// The writer says that it is well and can look things up, but what it writes is not known.
    @Test(arguments: [true, false]) func anOutageThatLooksWellCountsOnce(_ ends: Bool) async throws {
        try await withInstallation { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]))
            for _ in 1...4 { #expect(try await sync.sync().failedNotes == 1) }
            #expect(sync.pages(of: "n1").count == 2, "sent once more to find out, and no further time")
            #expect(try await sync.failedNotes() != ["n1": "held"])
            if ends {
                sync.faults()
                try await sync.recordWriterSuccess()
                #expect(try await sync.sync().failedNotes == 0)
            } else {
                try await sync.pool.execute("UPDATE sync_intents SET unknown_at = unknown_at - interval '5 hours'")
                #expect(try await sync.sync().failedNotes == 1)
                #expect(sync.pages(of: "n1").count == 2, "an outage of hours leaves no note held")
                try await sync.pool.execute("UPDATE sync_intents SET unknown_at = unknown_at - interval '1 hour'")
                let last = try await sync.sync()
                #expect(last.status == .queued && last.failedNotes == 0)
                #expect(try await sync.again(last).failedNotes == 1)
                #expect(try await sync.sync().failedNotes == 1)
                #expect(try await sync.failedNotes() == ["n1": "held"])
                #expect(try await UnknownWrites(pool: sync.pool).list().map(\.next) == [.held])
            }
            #expect(sync.pages(of: "n1").count == 3)
        }
    }

    @Test func anOperatorsRetryIsSentThoughNobodyHasSucceeded() async throws {
        try await withInstallation { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]))
            for _ in 1...2 { #expect(try await sync.sync().failedNotes == 1) }
            sync.faults()
            #expect(try await sync.sync().failedNotes == 1, "not sent before its time")
            let writes = UnknownWrites(pool: sync.pool)
            let isAsked = try await writes.retry(user: UserID(SyncInstallation.user), note: "n1") != nil
            #expect(isAsked)
            #expect(try await sync.sync().failedNotes == 0)
            #expect(sync.pages(of: "n1").count == 3)
        }
    }

    /// The breaker says nothing of a single user's calls, and the writer says that it is well.
    @Test func jobsThatBeginInDoubtSpendTheirAttempts() async throws {
        var options = SyncInstallation.Options()
        options.sync.flow.breaker = BreakerConfiguration()
        try await withInstallation(options) { sync in
            sync.notes(3)
            sync.faults(
                .strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]),
                .strike(.create, .drop(.after, reset: true), match: [.title: "Title of n2"]),
                .strike(.create, .drop(.after, reset: true), match: [.title: "Title of n3"])
            )
            let first = try await sync.sync()
            #expect(first.status == .queued)
            var last = first
            for _ in 1...8 where last.status == .queued { last = try await sync.again(last) }
            #expect(last.status == .failed && last.attempt == last.maximumAttempts, "\(last.lastError ?? "")")
            #expect(try await sync.failedNotes().isEmpty)
        }
    }

    /// It looks again later, and not without end.
    @Test func jobsWhoseNotesWereAllSentInVainWaitLonger() async throws {
        try await withInstallation { sync in
            sync.notes(2)
            sync.faults(
                .strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]),
                .strike(.create, .drop(.after, reset: true), match: [.title: "Title of n2"])
            )
            let waiting = try await sync.sync()
            for _ in 1...3 { _ = try await sync.again(waiting) }
            try await sync.pool.execute("UPDATE sync_jobs SET attempt = 0")
            let again = try await sync.again(waiting)
            #expect(again.status == .queued && again.attempt == 1, "\(again.errorMessage ?? "")")
            #expect(again.runAt > Date().addingTimeInterval(240))
            #expect(try await sync.intents().map(\.unknownCount) == [2, 2])
            sync.faults()
            try await sync.recordWriterSuccess()
            #expect(try await sync.again(waiting).failedNotes == 0)
            #expect(sync.pages(of: "n1").count == 3 && sync.pages(of: "n2").count == 3)
        }
    }

    /// Beside those that were on their way as it began one an attempt, and some until the run has ended.
    @Test(arguments: [(4, false), (4, true), (16, true)])
    func anOutageThatAnswersLeavesFewWritesInDoubtAndNoneHeld(_ concurrency: Int, _ hasBreaker: Bool) async throws {
        var options = SyncInstallation.Options()
        options.jobBackoff = Backoff(base: .milliseconds(1), cap: .milliseconds(1))
        if hasBreaker { options.sync.flow.breaker = BreakerConfiguration() }
        options.sync.noteConcurrency = concurrency
        try await withInstallation(options) { sync in
            sync.notes(59)
            sync.faults(.strike(.create, .status(code: 503, detail: .string("down"), headers: [:])))
            let failed = try await sync.ended(try await sync.insert(), as: .failed)
            #expect(failed.attempt == failed.maximumAttempts)
            #expect(failed.errorMessage?.contains("Notion Writer is ill") == true)
            #expect(sync.alerts.lines.count == 1)
            let unknown = try await sync.intents()
            #expect(unknown.count <= concurrency + 8, "\(unknown.count) writes in doubt")
            #expect(sync.calls.creates <= concurrency + 8)
            #expect(unknown.allSatisfy { $0.unknownCount < 2 })
            sync.faults()
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (59, 0))
            #expect(sync.pages.count == 59)
            #expect(try await sync.intents().isEmpty)
        }
    }

    /// With every note in doubt, a call that changes nothing finds out, however long the outage.
    @Test func anOutageWithEveryNoteInDoubtSendsNoneAgainUntilTheWriterIsWell() async throws {
        try await withInstallation { sync in
            sync.notes(3)
            sync.faults(.strike(.create, .status(code: 503, detail: .string("down"), headers: [:])))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(try await sync.intents().count == 3)
            for _ in 1...6 {
                sync.forgetCalls()
                try await sync.pool.execute("UPDATE sync_jobs SET attempt = 0")
                let again = try await sync.again(waiting)
                #expect(again.status == .queued)
                #expect(sync.calls.creates <= 1, "one question")
            }
            #expect(try await sync.intents().allSatisfy { $0.unknownCount == 1 }, "one outage counts once")
            sync.faults()
            let done = try await sync.again(waiting)
            #expect((done.processedNotes, done.failedNotes) == (3, 0))
            #expect(sync.pages.count == 3)
        }
    }

    /// Nothing else is there to be written that could prove the writer well.
    @Test(arguments: [nil, "retry"]) func aLoneNoteIsSentAfterAnOutage(_ resolution: String?) async throws {
        try await withInstallation { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .status(code: 503, detail: .string("down"), headers: [:])))
            for _ in 1...5 { try await sync.sync() }
            try await sync.pool.execute("UPDATE sync_intents SET resolution = \(resolution)")
            #expect(sync.pages.isEmpty)
            sync.faults()
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (1, 0))
            #expect(sync.pages.count == 1)
        }
    }

    /// Workers that are alive have yet to record what they heard while the server was away.
    @Test func aServerThatHasJustStartedAbandonsNothing() async throws {
        try await withInstallation { sync in
            let id = try await sync.insert()
            _ = try await sync.ended(id, as: .completed)
            try await insertOpenIntent(sync, job: id, openUntil: "-1 second")
            let grace = Duration.seconds(100_000_000)
            #expect(try await sync.pool.query(.markAbandonedIntents(user: nil, recordingGrace: grace)).isEmpty)
            #expect(try await sync.pool.query(.markAbandonedIntents(user: nil, recordingGrace: .zero)).count == 1)
        }
    }

    /// Somebody locks a running job, and goes on to the user's notes some time later.
    @Test(arguments: ["SELECT FROM sync_jobs FOR UPDATE", "DELETE FROM sync_logs; DELETE FROM sync_jobs"])
    func whoeverLocksAJobAndThenItsNotesIsNoVictim(_ statement: String) async throws {
        try await withInstallation { sync in
            sync.notes(40)
            sync.faults(.strike(.create, .latency(milliseconds: 150, jitter: 50)))
            _ = try await sync.insert()
            try await eventually("pages") { try await sync.states().count > 4 }
            let outside = try await sync.database.connect()
            try await outside.runScript("BEGIN; \(statement)")
            try await eventually("the journal waits") {
                try await !sync.pool.query(
                    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                ).isEmpty
            }
            // Longer than deadlock_timeout, as a person takes.
            try await outside.runScript("SELECT pg_sleep(1.5); DELETE FROM sync_state; ROLLBACK")
            await outside.close()
            sync.faults()
        }
    }

    @Test func aRefusedConnectionIsTriedByOneNoteAtATime() async throws {
        var options = SyncInstallation.Options()
        options.writerURL = SyncInstallation.deadURL
        options.jobBackoff = Backoff(base: .milliseconds(1), cap: .milliseconds(1))
        try await withInstallation(options) { sync in
            sync.notes(59)
            let before = sync.http.statistics.transfersStarted
            let job = try await sync.ended(try await sync.insert(), as: .failed)
            #expect(job.attempt == job.maximumAttempts)
            let connects = sync.http.statistics.transfersStarted - before - 2 * job.attempt
            #expect(connects <= 12 * job.attempt, "\(connects) connections")
            #expect(try await sync.intents().isEmpty)
        }
    }
}
