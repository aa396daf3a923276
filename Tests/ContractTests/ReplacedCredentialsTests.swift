import FlowControl
import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// A job that waits before a gate of its user's own, when the user's credentials are stored anew.
@Suite(.timeLimit(.minutes(2)))
struct ReplacedCredentialsTests {
    /// A job that waits an hour for the gate of the token or account that a call was refused for.
    private static func waiting(_ operation: PeerSimulator.Operation, _ sync: SyncInstallation) async throws
        -> JobRecord
    {
        sync.notes(1)
        sync.faults(.strike(operation, .status(code: 429, detail: .null, headers: ["Retry-After": "3600"]), times: 1))
        let job = try await sync.sync()
        #expect(job.status == .queued && job.runAt.timeIntervalSinceNow > 3500)
        return job
    }

    private static func isDueAgain(_ job: JobRecord, _ sync: SyncInstallation) async throws -> Bool {
        let now = try await sync.job(job.id)
        return now.status != .queued || now.runAt != job.runAt
    }

    @Test func aJobGoesOnWithAnotherToken() async throws {
        try await withInstallation { sync in
            let job = try await Self.waiting(.create, sync)
            try await sync.storeCredentials(notion: "secret_AnotherToken")
            #expect(try await sync.ended(job.id, as: .completed).processedNotes == 1)
        }
    }

    /// One column, or the row taken away and inserted.
    @Test(
        arguments: ["google_oauth_token", "notion_api_token", "notion_database_id", nil],
        [PeerSimulator.Operation.create, .notes]
    )
    func plainSQLMakesAJobDue(column: String?, _ operation: PeerSimulator.Operation) async throws {
        try await withInstallation { sync in
            let job = try await Self.waiting(operation, sync)
            if let column {
                try await sync.pool.execute(
                    "UPDATE credentials SET \(identifier: column) = \(identifier: column) || ' ' WHERE user_id = 'ada'"
                )
            } else {
                try await sync.pool.execute("DELETE FROM credentials")
                #expect(try await !Self.isDueAgain(job, sync), "with none it could do nothing")
                try await sync.storeCredentials()
            }
            try await eventually(within: .seconds(20), "another claim") { try await Self.isDueAgain(job, sync) }
        }
    }

    /// Django saves a whole row, whichever of its columns a form has changed.
    @Test(arguments: [PeerSimulator.Operation.create, .notes]) func aRowThatIsSavedAsItWasReplacesNothing(
        _ operation: PeerSimulator.Operation
    ) async throws {
        try await withInstallation { sync in
            let job = try await Self.waiting(operation, sync)
            try await sync.pool.execute(
                """
                UPDATE credentials SET user_id = user_id, google_oauth_token = google_oauth_token,
                    notion_api_token = notion_api_token, notion_database_id = notion_database_id,
                    updated_at = timezone('utc', now())
                """
            )
            #expect(try await !Self.isDueAgain(job, sync))
        }
    }

    @Test func theGateOfAPeerKeepsItsJobs() async throws {
        try await withInstallation { sync in
            _ = try await GateList(pool: sync.pool).close(
                GateName(.notionWriter),
                for: .seconds(3600),
                reason: "Moved."
            )
            let job = try await sync.sync()
            try await sync.storeCredentials(notion: "secret_AnotherToken")
            #expect(try await !Self.isDueAgain(job, sync))
        }
    }

    /// Whoever stores credentials waits for nobody.
    @Test func aJobWhoseRecordIsLockedIsPassedOver() async throws {
        try await withInstallation { sync in
            let job = try await Self.waiting(.create, sync)
            let outside = try await sync.database.connect()
            try await outside.runScript("BEGIN; SELECT FROM sync_jobs FOR UPDATE")
            try await sync.storeCredentials(notion: "secret_AnotherToken")
            try await outside.runScript("ROLLBACK")
            await outside.close()
            #expect(try await !Self.isDueAgain(job, sync))
        }
    }
}
