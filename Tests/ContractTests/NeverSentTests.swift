import Foundation
import Logging
import Postgres
import Support
import SyncSchema
import TestSupport
import Testing

@testable import JobQueue
@testable import NoteSync

/// A request whose commit was not answered is never sent; its worker takes it back when the database is there again.
@Suite(.timeLimit(.minutes(5)))
struct NeverSentTests {
    /// What has become of its row by then.
    enum Meanwhile: CaseIterable, CustomTestStringConvertible {
        case nothing, foundUnknown, replaced, superseded

        var testDescription: String { "\(self)" }
    }

    private static let user = UserID("ada")

    @Test(arguments: Meanwhile.allCases) func itsWorkerTakesItBack(_ meanwhile: Meanwhile) async throws {
        let cluster = try await PrivateCluster.start()
        let database = try await cluster.createDatabase(migrations: SyncSchema.migrations)
        let job = JobID()
        try await database.pool.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status, lease) VALUES (\(job.rawValue), 'ada', 'running', 7)"
        )
        let lease = LeaseGuard(validUntil: .now + .seconds(600))
        let context = JobContext(
            job: Self.claimed(job),
            lease: lease,
            stop: StopSignal(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        var configuration = database.configuration
        configuration.applicationName = "worker"
        let pool = PostgresPool(configuration: configuration, size: 1, logger: context.logger)
        let journal = NoteJournal(pool: pool, context: context, maximumLogLines: 10_000)
        let outside = try await database.connect()
        try await outside.execute("SET synchronous_commit = local")
        // What is to be taken back waits for the change below, which comes first.
        try await outside.runScript("BEGIN; LOCK TABLE sync_unheard_requests IN SHARE ROW EXCLUSIVE MODE")
        // The commit is made and not answered, as by a network that has fallen silent.
        try await cluster.setSynchronous(true)
        let recording = Task { try await journal.record(JournalEntry(begun: Self.intent())) }
        try await waitForCommit(database.pool)
        lease.revoke()
        _ = try await database.pool.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker'"
        )
        try await eventually("the row") { try await !outside.query("SELECT FROM sync_intents").isEmpty }
        try await change(meanwhile, outside)
        try await outside.runScript("COMMIT")
        try await cluster.setSynchronous(false)
        await #expect(throws: JobQueueError.self) { try await recording.value }
        let left = try await outside.query("SELECT request FROM sync_intents").map {
            try $0.decode(at: 0, as: Int.self)
        }
        #expect(left == (meanwhile == .replaced ? [99] : []))
        #expect(try await outside.query("SELECT FROM sync_unheard_requests").isEmpty)
        #expect(try await outside.query("SELECT FROM sync_intents WHERE unknown_count <> 0").isEmpty)
        await outside.close()
        await pool.shutdown()
        await database.pool.shutdown()
        try await cluster.stop(mode: .immediate)
    }

    /// Not by the connection that is in a transaction, which would see the same activity all the time.
    private func waitForCommit(_ pool: PostgresPool) async throws {
        try await eventually("a commit that waits") {
            try await !pool.query(
                "SELECT FROM pg_stat_activity WHERE application_name = 'worker' AND wait_event = 'SyncRep'"
            ).isEmpty
        }
    }

    private func change(_ meanwhile: Meanwhile, _ outside: PostgresConnection) async throws {
        guard meanwhile != .nothing else { return }
        try await outside.execute("UPDATE sync_intents SET unknown_at = now(), unknown_count = 1, open_until = NULL")
        switch meanwhile {
        case .nothing, .foundUnknown: break
        case .replaced:
            try await outside.execute(
                "UPDATE sync_intents SET request = 99, unknown_at = NULL, open_until = now() + interval '1 hour', lease = 8"
            )
            #expect(try await outside.query("SELECT FROM sync_unheard_requests").count == 1)
        case .superseded:
            let request = try await outside.query("SELECT request FROM sync_intents")[0].decode(at: 0, as: Int64.self)
            let reference = RequestReference(noteID: "n1", request: RequestID(rawValue: request))
            _ = try await outside.query(.supersedeIntents([reference], user: Self.user))
            #expect(try await outside.query("SELECT FROM sync_unheard_requests").count == 1)
        }
    }

    static func claimed(_ job: JobID) -> ClaimedJob {
        ClaimedJob(
            id: job,
            userID: user,
            lease: Lease(7),
            isFullSync: false,
            attempt: 1,
            maximumAttempts: 5,
            crashes: 0,
            startedAt: Date(),
            traceparent: nil
        )
    }

    static func intent() -> Intent {
        Intent(
            noteID: "n1",
            operation: .create,
            pageID: nil,
            idempotencyKey: UUID(),
            hash: ContentHash(text: "2:0:0"),
            modifiedAt: KeepTimestamp(Date()),
            databaseID: NotionDatabaseID("db"),
            openFor: .seconds(600)
        )
    }
}
