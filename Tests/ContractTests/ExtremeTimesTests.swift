import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import NoteSync

/// Times at the ends of their types in what is remembered of notes: operators write some of them by hand.
@Suite(.timeLimit(.minutes(2)))
struct ExtremeTimesTests {
    private static let times = [
        "-infinity", "4714-11-24 00:00:00+00 BC", "0001-01-01 00:00:00+00", "1700-01-01 00:00:00.000001+00",
        "2020-01-01 00:00:00+00", "4001-01-01 00:00:00+00", "294276-12-31 23:59:59.999999+00", "infinity",
    ]

    @Test func everyRowIsRead() async throws {
        try await withInstallation { sync in
            try await sync.pool.execute(
                """
                INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                    lease, unknown_at, open_until)
                SELECT 'ada', format('%s %s %s', m, u, o), 'create', gen_random_uuid(), '2:0:0', m::timestamptz, gen_random_uuid(), 7,
                    u::timestamptz, o::timestamptz
                FROM unnest(\(Self.times)) AS m, unnest(\(Self.times)) AS u, unnest(\(Self.times)) AS o
                """
            )
            try await sync.pool.execute(
                """
                INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at, last_synced_at)
                SELECT 'ada', keep_note_id, 'page', timezone('utc', keep_modified_at), timezone('utc', unknown_at)
                FROM sync_intents
                """
            )
            let notes = Self.times.flatMap { m in Self.times.flatMap { u in Self.times.map { "\(m) \(u) \($0)" } } }
            let known = try await SyncStateStore(pool: sync.pool).known(notes, of: UserID("ada"))
            #expect(known.count == notes.count)
            // The last three times are still to come.
            let areOpen = notes.indices.map { $0 % Self.times.count >= Self.times.count - 3 }
            for (isOpen, row) in zip(areOpen, known) {
                let intent = try #require(row.intent)
                #expect((intent.openFor != nil) == isOpen)
                #expect(intent.unknownFor >= .zero && row.page != nil)
            }
            #expect(try await UnknownWrites(pool: sync.pool).list(user: nil).count == notes.count)
        }
    }

    /// A cursor and failed notes of such times: the sync goes on as from a time that it can ask for.
    @Test(arguments: times) func aSyncGoesThrough(_ time: String) async throws {
        try await withInstallation { sync in
            sync.notes(3)
            try await sync.pool.execute(
                "INSERT INTO sync_cursors (user_id, keep_modified_at) VALUES ('ada', \(time)::text::timestamptz)"
            )
            try await sync.pool.execute(
                """
                INSERT INTO sync_failed_notes (user_id, keep_note_id, keep_modified_at, code, error, job_id)
                VALUES ('ada', 'n1', \(time)::text::timestamptz, 'x', 'x', gen_random_uuid())
                """
            )
            #expect(try await sync.sync().status == .completed)
            #expect(try await sync.sync(full: true).status == .completed)
            #expect(sync.pages.count == 3)
        }
    }

    @Test func everyDateIsATimeOfKeep() {
        let ends =
            [Date.distantPast, .distantFuture]
            + [-1e300, -1e15, -1, 0, 1, 1e15, 1e300].map(Date.init(timeIntervalSince1970:))
        for date in ends {
            let time = KeepTimestamp(date)
            let earlier = time - .seconds(365 * 86400)
            #expect(earlier < time)
            #expect(!time.naiveText.isEmpty)
        }
    }
}
