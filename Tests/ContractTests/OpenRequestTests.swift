import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import NoteSync

/// A request that nobody has heard out is replaced by the next one, in the moment its time has passed.
@Suite(.timeLimit(.minutes(1)))
struct OpenRequestTests {
    /// A worker is paused with a create under way; another one sends the create again, and that is refused for certain.
    /// The row is the only trace of the page that the first may have made.
    @Test func itCountsAsUnknown() async throws {
        try await withInstallation { sync in
            let user = UserID("ada")
            let first = try intent()
            try await begin(first, of: user, in: sync)
            // Sent once more after a lost answer to the commit, it is the same request.
            try await begin(first, of: user, in: sync)
            #expect(try await count(in: sync) == 0)
            var second = first
            second.request = RequestID()
            second.replaced = first.request
            try await begin(second, of: user, in: sync)
            #expect(try await count(in: sync) == 1)
            let reference = RequestReference(noteID: second.noteID, request: second.request)
            try await sync.pool.execute(.withdrawIntents([reference], user: user))
            #expect(try await count(in: sync) == 1, "what is certain of the second says nothing of the first")
            let row = try await sync.pool.query("SELECT unknown_at IS NOT NULL AS is_unknown FROM sync_intents").first
            #expect(try row?.decode("is_unknown", as: Bool.self) == true)
        }
    }

    /// An operator sends the write again before anybody has found that it is unknown, and that is refused for certain.
    @Test func itCountsAsUnknownAlsoWhenAnOperatorSendsItAgain() async throws {
        try await withInstallation { sync in
            let user = UserID("ada")
            let first = try intent()
            try await begin(first, of: user, in: sync)
            #expect(try await UnknownWrites(pool: sync.pool).retry(user: user, note: first.noteID) != nil)
            #expect(try await count(in: sync) == 1)
            #expect(try await UnknownWrites(pool: sync.pool).retry(user: user, note: first.noteID) != nil)
            #expect(try await count(in: sync) == 1)
            var second = first
            second.request = RequestID()
            second.replaced = first.request
            try await begin(second, of: user, in: sync)
            let reference = RequestReference(noteID: second.noteID, request: second.request)
            try await sync.pool.execute(.withdrawIntents([reference], user: user))
            #expect(try await count(in: sync) == 1)
            let row = try #require(try await sync.pool.query("SELECT idempotency_key AS key FROM sync_intents").first)
            #expect(try row.decode("key", as: UUID.self) == first.idempotencyKey)
        }
    }

    private func intent() throws -> Intent {
        Intent(
            noteID: "n1",
            operation: .create,
            pageID: nil,
            idempotencyKey: UUID(),
            hash: ContentHash(text: "hash"),
            modifiedAt: KeepTimestamp(Date()),
            databaseID: NotionDatabaseID("d1"),
            openFor: .zero
        )
    }

    private func begin(_ intent: Intent, of user: UserID, in sync: SyncInstallation) async throws {
        try await sync.pool.execute(.beginIntents([intent], user: user, job: JobID(), lease: Lease(1)))
    }

    private func count(in sync: SyncInstallation) async throws -> Int {
        try #require(try await sync.pool.query("SELECT unknown_count FROM sync_intents").first).decode("unknown_count")
    }
}
