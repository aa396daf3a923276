import FlowControl
import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// What a job does while the breaker of a peer is open, or calls of the peer fail.
@Suite(.timeLimit(.minutes(2)))
struct BreakerRunTests {
    private static var options: SyncInstallation.Options {
        var options = SyncInstallation.Options()
        options.sync.flow.breaker = BreakerConfiguration()
        options.sync.flow.breaker.settling = .milliseconds(100)
        options.sync.noteConcurrency = 1
        // The gates are asked every six notes, some three times a second.
        options.sync.flow.notionPace = PaceLimit(permitsPerSecond: 32, burst: 4)
        return options
    }

    /// Opens the breaker of a peer, as of now.
    private static func open(_ gate: GateName, probedIn seconds: Double, _ sync: SyncInstallation) async throws {
        try await sync.pool.execute(
            """
            INSERT INTO sync_gates (gate, opened_at, opened_reason, cooldown, probe_at)
            VALUES (\(gate), clock_timestamp(), 'It is down.', \(seconds),
                clock_timestamp() + make_interval(secs => \(seconds)))
            """
        )
    }

    private static func isOpen(_ gate: GateName, _ sync: SyncInstallation) async throws -> Bool {
        try await GateList(pool: sync.pool).gates(isComplete: true, limit: 10).contains {
            $0.name == gate && $0.openedAt != nil
        }
    }

    /// To come back later is to log in and fetch once more.
    @Test func aRunThatIsUnderWayWaitsOutAShortOutage() async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(59)
            let id = try await sync.insert()
            try await eventually(within: .seconds(20), "the first pages") { sync.pages.count >= 2 }
            try await Self.open(GateName(.notionWriter), probedIn: 3, sync)
            let opened = ContinuousClock.now
            try await eventually(within: .seconds(20), "the calls under way then") { .now - opened > .seconds(2) }
            let before = sync.calls.creates
            #expect(before < 59)
            try await eventually(within: .seconds(20), "some time without a call") { .now - opened > .seconds(3) }
            #expect(sync.calls.creates == before)
            #expect(try await sync.job(id).status == .running)
            _ = try await GateList(pool: sync.pool).open(GateName(.notionWriter))
            let job = try await sync.ended(id, as: .completed)
            #expect(job.attempt == 1 && job.snoozes == 0 && job.processedNotes == 59)
            #expect(sync.calls == SyncInstallation.Calls(logins: 1, fetches: 1, creates: 59))
        }
    }

    /// A long one takes no slot.
    @Test func aRunThatIsUnderWayIsPutOffInALongOutage() async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(59)
            let id = try await sync.insert()
            try await eventually(within: .seconds(20), "the first pages") { sync.pages.count >= 2 }
            try await Self.open(GateName(.notionWriter), probedIn: 3600, sync)
            let job = try await sync.settled(id)
            #expect(job.status == .queued && job.attempt == 0)
        }
    }

    /// What the extractor makes of one user's credentials says that it is there.
    @Test(arguments: [400, 422, 500]) func aLoginThatIsRefusedShowsThatTheExtractorIsBack(_ status: Int) async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(1)
            sync.faults(.strike(.auth, .status(code: status, detail: .string("No."), headers: [:]), times: 1))
            try await Self.open(GateName(.keepExtractor), probedIn: 0, sync)
            #expect(try await sync.sync().status == .completed)
            #expect(try await !Self.isOpen(GateName(.keepExtractor), sync))
            #expect(sync.struck == [2], "the probe, and the job's own login")
        }
    }

    /// Unless it says itself that it is not well.
    @Test func aLoginThatFailsWithItsExtractorShowsNothing() async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(1)
            let fault = Fault.status(code: 500, detail: .string("No."), headers: [:])
            sync.faults(.strike(.auth, fault), .strike(.health, fault))
            try await Self.open(GateName(.keepExtractor), probedIn: 0, sync)
            let job = try await sync.sync()
            #expect(job.status == .queued && job.attempt == 0)
            #expect(try await Self.isOpen(GateName(.keepExtractor), sync))
        }
    }

    /// Another worker reaches the writer, and this one may not.
    @Test(arguments: [true, false]) func whoseOwnCallsFailTakesNoOthersWordForIt(failsHere: Bool) async throws {
        var options = Self.options
        options.sync.noteAttempts = 1
        try await withInstallation(options) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]))
            #expect(try await sync.sync().failedNotes == 1)
            #expect(try await sync.intents().map(\.unknownCount) == [1])
            if !failsHere {
                // Another user's note is written meanwhile.
                let bob = Credentials(googleToken: "g", notionToken: "ntn_bob", databaseID: "db-of-bob")
                try await sync.credentials.store(bob, of: UserID("bob"))
                sync.faults()
                #expect(try await sync.sync(user: "bob").processedNotes == 1)
            }
            try await sync.pool.execute(
                """
                INSERT INTO sync_peer_successes (peer, succeeded_at) VALUES ('notion_writer', clock_timestamp())
                ON CONFLICT (peer) DO UPDATE SET succeeded_at = excluded.succeeded_at
                """
            )
            sync.faults(.strike(.create, .drop(.after, reset: true)))
            sync.forgetCalls()
            try await sync.sync()
            let counts = try await sync.intents().map(\.unknownCount)
            #expect(counts == [failsHere ? 1 : 2], "\(sync.calls)")
        }
    }
}
