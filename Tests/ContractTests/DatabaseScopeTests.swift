import JobQueue
import Postgres
import TestSupport
import Testing

@testable import NoteSync
@testable import PeerSimulator

/// Pages written to one Notion database say nothing about another.
@Suite(.timeLimit(.minutes(5)))
struct DatabaseScopeTests {
    private static let old = "0123456789abcdef0123456789abcdef"
    private static let new = "fedcba9876543210fedcba9876543210"

    private func withPages(
        _ policy: SyncConfiguration.DatabaseChanges,
        _ body: (SyncInstallation) async throws -> Void
    ) async throws {
        var options = SyncInstallation.Options()
        options.sync.databaseChanges = policy
        try await withInstallation(options) { sync in
            try await sync.storeCredentials(database: Self.old)
            sync.notes(3)
            try await sync.sync()
            try await body(sync)
        }
    }

    @Test(arguments: [
        "0123456789ABCDEF0123456789ABCDEF", "01234567-89ab-cdef-0123-456789abcdef",
        "https://www.notion.so/team/My-Notes-0123456789abcdef0123456789abcdef?v=fedcba9876543210fedcba9876543210",
    ])
    func theSameDatabaseWrittenInAnotherWayIsTheSame(_ written: String) async throws {
        try await withPages(.stop) { sync in
            try await sync.storeCredentials(database: written)
            let job = try await sync.sync(full: true)
            #expect(job.status == .completed)
            #expect(sync.pages.count == 3)
        }
    }

    /// A take-over stamps the pages by the function of the tables.
    @Test func theTablesReadAnIdentifierAsTheProgramDoes() async throws {
        try await withInstallation { sync in
            let written = [
                "0123456789ABCDEF0123456789ABCDEF", " 01234567-89ab-cdef-0123-456789abcdef\n",
                "https://www.notion.so/t/My-Notes-0123456789abcdef0123456789abcdef?v=1",
                "https://notion.so/\(Self.old)//",
                "notion.so/Deadbeef-\(Self.old)#x", "db-of-ada", "", "0123", "/", "?",
            ]
            for text in written {
                let row = try #require(try await sync.pool.query("SELECT sync_notion_database(\(text)) AS id").first)
                #expect(try row.decode("id", as: String.self) == NotionDatabaseID(text).text, "\(text)")
            }
        }
    }

    @Test func theJobStopsAndSaysWhy() async throws {
        try await withPages(.stop) { sync in
            try await sync.storeCredentials(database: Self.new)
            sync.edit("n1")
            let job = try await sync.sync()
            #expect(job.status == .failed)
            let error = try #require(job.errorMessage)
            for part in [Self.old, Self.new, "SYNC_DATABASE_CHANGED=recreate", "clear-state ada"] {
                #expect(error.contains(part))
            }
            let places = ["clear-state ada", "=recreate"].map { error.firstRange(of: $0)?.lowerBound ?? error.endIndex }
            #expect(places == places.sorted(), "what is for one user comes before what is for all")
            #expect(sync.calls.updates == 0)
            #expect(sync.pages.count == 3)
            // An operator is told by the same rule.
            let databases = try await SyncStateStore(pool: sync.pool).databases(of: UserID(SyncInstallation.user))
            #expect(databases.home == Self.old && databases.ofPages == [Self.old])
            #expect(databases.accept(Self.old) && !databases.accept(Self.new))
            // Back to the old one, it goes on.
            try await sync.storeCredentials(database: Self.old)
            #expect(try await sync.sync().status == .completed)
            // And whoever clears the state has every page created in the new one.
            try await sync.storeCredentials(database: Self.new)
            _ = try await SyncStateStore(pool: sync.pool).clear(UserID(SyncInstallation.user))
            #expect(try await sync.sync().status == .completed)
            #expect(sync.simulator.pages.pages(databaseID: Self.new).count == 3)
        }
    }

    /// Somebody else's database in credentials that are bound: who follows the advice would send the notes there.
    @Test func aDatabaseThatOthersHaveStoredIsToBeMadeSureOf() async throws {
        try await withPages(.stop) { sync in
            try await sync.pool.execute("UPDATE credentials SET notion_database_id = \(Self.new)")
            let error = try #require(try await sync.sync().errorMessage)
            let warning = try #require(error.firstRange(of: "other than syncctl has changed these credentials"))
            let advice = try #require(error.firstRange(of: "clear-state ada"))
            #expect(warning.lowerBound < advice.lowerBound)
        }
    }

    /// Says of a note's page that it lies in another database, and forgets the cursor: as while pages are being created
    /// anew.
    private func lay(_ notes: [String], in database: String?, _ sync: SyncInstallation) async throws {
        try await sync.pool.execute(
            "UPDATE sync_state SET notion_database_id = \(database) WHERE keep_note_id = ANY (\(notes))"
        )
        try await sync.pool.execute("DELETE FROM sync_cursors")
        sync.forgetCalls()
    }

    /// Whichever page the database would name first.
    @Test(arguments: ["n1", "n2", "n3"], [SyncConfiguration.DatabaseChanges.stop, .recreate])
    func aDatabaseThatSomePagesLieInIsTheUsersOwn(
        elsewhere: String,
        policy: SyncConfiguration.DatabaseChanges
    ) async throws {
        try await withPages(policy) { sync in
            try await lay([elsewhere], in: Self.new, sync)
            for note in ["n1", "n2", "n3"] { sync.edit(note) }
            let job = try await sync.sync()
            #expect(job.status == .completed, "\(job.errorMessage ?? "")")
            #expect((sync.calls.creates, sync.calls.updates) == (1, 2), "the page elsewhere is left alone")
            let lines = try await sync.lines("WARNING", of: job)
            let told = "Some pages of user ada lie in \(Self.new), others in the Notion database \(Self.old)"
            #expect(lines.count { $0.hasPrefix(told) } == 1, "\(lines)")
            #expect(sync.log.lines.contains { $0.hasPrefix("warning \(told)") })
            let databases = try await SyncStateStore(pool: sync.pool).databases(of: UserID(SyncInstallation.user))
            #expect(databases.home == Self.old && databases.ofPages == [Self.old])
            sync.forgetCalls()
            #expect(try await sync.sync(full: true).status == .completed)
            #expect(sync.calls.creates + sync.calls.updates == 0)
        }
    }

    @Test(arguments: [["n1"], ["n2", "n3"]]) func aDatabaseThatNoPageLiesInIsAnother(some: [String]) async throws {
        try await withPages(.stop) { sync in
            try await lay(some, in: "third", sync)
            try await sync.storeCredentials(database: Self.new)
            let job = try await sync.sync()
            #expect(job.status == .failed)
            let error = try #require(job.errorMessage)
            #expect(
                error.contains("name the Notion database \(Self.new); the user's pages lie in \(Self.old) and third.")
            )
            #expect(error.contains("store the right one of these with: syncctl credentials set ada --database-id ID"))
            #expect(sync.calls.creates + sync.calls.updates == 0)
            let databases = try await SyncStateStore(pool: sync.pool).databases(of: UserID(SyncInstallation.user))
            #expect([Self.old, "third", Self.new].map(databases.accept) == [true, true, false])
            try await sync.storeCredentials(database: "third")
            #expect(try await sync.sync().status == .completed)
            #expect((sync.calls.creates, sync.calls.updates) == (3 - some.count, 0))
        }
    }

    /// The replaced service records no database. Where the credentials name another than the user's, such a page is not
    /// edited.
    @Test(arguments: [old, new]) func aPageOfUnknownPlaceIsLeftAloneWithTheOthers(named: String) async throws {
        try await withPages(.recreate) { sync in
            try await lay(["n1"], in: nil, sync)
            try await sync.storeCredentials(database: named)
            sync.edit("n1")
            #expect(try await sync.sync().status == .completed)
            #expect((sync.calls.creates, sync.calls.updates) == (named == Self.old ? (0, 1) : (3, 0)))
        }
    }

    @Test func everyPageIsCreatedInTheNewDatabaseIfSetSo() async throws {
        try await withPages(.recreate) { sync in
            try await sync.storeCredentials(database: Self.new)
            sync.edit("n1")
            let breaks = Fault.status(code: 404, detail: .null, headers: [:])
            sync.faults(.strike(.create, breaks, times: 1, after: 1))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            let job = try await sync.again(waiting)
            #expect((job.processedNotes, job.failedNotes) == (3, 0))
            #expect(sync.calls.updates == 0, "the old pages are left alone")
            #expect(sync.simulator.pages.pages(databaseID: Self.new).count == 3)
            #expect(sync.simulator.pages.pages(databaseID: Self.old).map(\.updates) == [0, 0, 0])
            #expect(try await sync.lines("WARNING", of: job).contains { $0.contains(Self.new) })
            sync.forgetCalls()
            sync.edit("n2")
            try await sync.sync()
            #expect(sync.calls.updates == 1)
            #expect(sync.calls.creates == 0)
        }
    }
}
