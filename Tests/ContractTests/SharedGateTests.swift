import FlowControl
import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// The gates as jobs pass them.
@Suite(.timeLimit(.minutes(5)))
struct SharedGateTests {
    /// Stores credentials of a second user, with the token and the database of the first.
    private static func storeBob(_ sync: SyncInstallation) async throws {
        let credentials = Credentials(
            googleToken: "g",
            notionToken: SyncInstallation.notionToken,
            databaseID: "db-of-bob"
        )
        try await sync.credentials.store(credentials, of: UserID("bob"))
    }

    private static func gates(_ sync: SyncInstallation) async throws -> [GateRecord] {
        try await GateList(pool: sync.pool).gates(isComplete: true, limit: 100)
    }

    private static func paced(_ permitsPerSecond: Double) -> SyncInstallation.Options {
        var options = SyncInstallation.Options()
        options.sync.flow.notionPace = PaceLimit(permitsPerSecond: permitsPerSecond, burst: 3)
        return options
    }

    @Test func jobsOfOneTokenKeepToOnePace() async throws {
        try await withInstallation(Self.paced(20)) { sync in
            try await Self.storeBob(sync)
            sync.notes(8)
            let began = ContinuousClock.now
            let jobs = [try await sync.insert(), try await sync.insert(user: "bob")]
            for job in jobs { #expect(try await sync.settled(job).processedNotes == 8) }
            // 16 pages of two permits, less the burst, at 20 a second.
            #expect(ContinuousClock.now - began > .milliseconds(1400))
            let gate = try #require(try await Self.gates(sync).first { $0.name.scope == .token })
            #expect(gate.recentPermits == 32, "each is used, or given back")
            #expect(!gate.name.rawValue.contains("Token"))
        }
    }

    /// Permits that one takes and gives back leave a gap in the schedule of the others.
    @Test func jobsOfFewNotesTakeNoMorePermitsThanTheyNeed() async throws {
        try await withInstallation(Self.paced(4)) { sync in
            for number in 1...6 {
                let credentials = Credentials(
                    googleToken: "g",
                    notionToken: SyncInstallation.notionToken,
                    databaseID: "db-of-\(number)"
                )
                try await sync.credentials.store(credentials, of: UserID("user-\(number)"))
            }
            sync.notes(1)
            let began = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...6 {
                    let job = try await sync.insert(user: "user-\(number)")
                    group.addTask {
                        let settled = try await sync.settled(job)
                        #expect(settled.processedNotes == 1)
                    }
                }
                try await group.waitForAll()
            }
            let time = ContinuousClock.now - began
            // 6 pages of two permits, less the burst, at 4 a second.
            #expect(time > .milliseconds(2200) && time < .seconds(7))
        }
    }

    @Test func aClosedGateIsSeenBeforeAnythingIsFetched() async throws {
        try await withInstallation { sync in
            sync.notes(3)
            #expect(try await sync.sync().status == .completed)
            _ = try await GateList(pool: sync.pool).close(
                GateName(.notionWriter),
                for: .seconds(3600),
                reason: "Moved."
            )
            sync.forgetCalls()
            sync.edit("n1")
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued && waiting.attempt == 0)
            #expect(waiting.runAt.timeIntervalSinceNow > 3500)
            #expect(waiting.lastError == "The gate notion_writer was closed: Moved.")
            #expect(sync.calls == SyncInstallation.Calls())
            let hold = try await JobClient(pool: sync.pool).hold(on: waiting.id)
            guard case .snoozed(let gate, _)? = hold, gate.name == "notion_writer" else {
                Issue.record("The queue row does not name its gate.")
                return
            }
            let gates = GateList(pool: sync.pool)
            let opened = try await gates.open(GateName(.notionWriter))
            #expect(opened?.wasBroken == false)
            #expect(try await gates.releaseJobs(behind: GateName(.keepExtractor)) == 0)
            #expect(try await gates.releaseJobs(behind: GateName(.notionWriter)) == 1)
            #expect(try await gates.releaseJobs(behind: GateName(.notionWriter)) == 0)
            #expect(try await sync.again(waiting).status == .completed)
            #expect(sync.calls.updates == 1)
        }
    }

    /// An outage of hours is a claim every few seconds of each user's job.
    @Test(arguments: [false, true]) func claimsThatEndAtAGateAreOneLineOfTheLog(_ isFull: Bool) async throws {
        try await withInstallation { sync in
            sync.notes(3)
            let gates = GateList(pool: sync.pool)
            _ = try await gates.close(GateName(.notionWriter), for: .seconds(3600), reason: "Moved.")
            var job = try await sync.sync(full: isFull)
            for round in 1...3 {
                let lines = try await JobClient(pool: sync.pool).logs(of: job.id).map(\.message)
                let count = round > 1 ? " (found closed \(round) times)" : ""
                let words = "Waits for the gate notion_writer: The gate notion_writer was closed: Moved."
                #expect(lines == [words + count])
                let before = job.snoozes
                let id = job.id.rawValue
                try await sync.pool.execute("UPDATE sync_jobs SET run_at = now() WHERE job_id = \(id)")
                try await sync.pool.execute("SELECT pg_notify('sync_jobs', '')")
                try await eventually(within: .seconds(20), "another claim") {
                    job = try #require(try await JobClient(pool: sync.pool).job(job.id))
                    return job.snoozes > before && job.status == .queued
                }
            }
            _ = try await gates.open(GateName(.notionWriter))
            #expect(try await sync.again(job).status == .completed)
            let lines = try await sync.lines("INFO", of: job)
            #expect(lines.dropFirst().first == "\(isFull ? "Full" : "Incremental") sync started.", "\(lines)")
        }
    }

    @Test func whatOneJobIsToldTheOthersOfItsTokenKeepTo() async throws {
        try await withInstallation { sync in
            try await Self.storeBob(sync)
            sync.notes(1)
            sync.faults(.strike(.create, .rateLimited(status: 429, retryAfter: 3600), times: 1))
            #expect(try await sync.sync().status == .queued)
            sync.forgetCalls()
            let other = try await sync.sync(user: "bob")
            #expect(other.status == .queued && other.attempt == 0)
            #expect(sync.calls.creates == 0 && sync.calls.logins == 0)
            #expect(try await Self.gates(sync).filter(\.isClosed).count == 1)
        }
    }

    /// What the old ones were told is no matter of the new ones.
    @Test(arguments: [Fault.rateLimited(status: 429, retryAfter: 3600), .message("API token is invalid.")])
    func credentialsThatAreReplacedWhileAJobRunsAreUsedAtOnce(_ fault: Fault) async throws {
        try await withInstallation { sync in
            sync.notes(1)
            sync.faults(
                .strike(.create, .latency(milliseconds: 1000, jitter: 0), times: 1),
                .strike(.create, fault, times: 1)
            )
            let job = try await sync.insert()
            try await eventually("a create under way") { sync.simulator.requests.report.maxConcurrentWriterCalls > 0 }
            let new = Credentials(googleToken: "g", notionToken: "ntn_new", databaseID: SyncInstallation.databaseID)
            try await sync.credentials.store(new, of: UserID(SyncInstallation.user))
            let done = try await sync.ended(job, as: .completed)
            #expect((done.failedNotes, done.attempt) == (0, 1))
        }
    }

    /// Notion's own answer, as a writer may pass it on.
    @Test func aLimitOfTheWorkspaceHoldsForItsDatabase() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteConcurrency = 1
        try await withInstallation(options) { sync in
            let credentials = Credentials(
                googleToken: "g",
                notionToken: "other",
                databaseID: SyncInstallation.databaseID
            )
            try await sync.credentials.store(credentials, of: UserID("bob"))
            sync.notes(2)
            let answer = JSONValue.object([
                "message": .string("You have been rate limited."),
                "additional_data": .object(["rate_limit_reason": .string("workspace_limit")]),
            ])
            let limit = Fault.status(code: 429, detail: answer, headers: ["Retry-After": "90"])
            let second = FaultRule.strike(.create, limit, times: 1, after: 1)
            sync.faults(second)
            func closed() async throws -> [GateName.Scope] {
                try await Self.gates(sync).filter(\.isClosed).map(\.name.scope).sorted { $0.rawValue < $1.rawValue }
            }
            #expect(try await sync.sync().status == .queued)
            // Anybody may name the database in which another's pages lie.
            #expect(try await closed() == [.token])
            sync.faults(second)
            #expect(try await sync.sync(user: "bob").status == .queued)
            #expect(try await closed() == [.token, .token, .workspace])
            let third = Credentials(googleToken: "g", notionToken: "third", databaseID: SyncInstallation.databaseID)
            try await sync.credentials.store(third, of: UserID("cyd"))
            sync.forgetCalls()
            #expect(try await sync.sync(user: "cyd").status == .queued)
            #expect(sync.calls.creates == 0)
        }
    }

    /// Whoever has two accounts may name another's database, and have calls refused that never came to it.
    @Test func whoHasWrittenNothingClosesNoWorkspace() async throws {
        try await withInstallation { sync in
            for (user, token) in [("bob", "b"), ("cyd", "c")] {
                let named = Credentials(googleToken: "g", notionToken: token, databaseID: SyncInstallation.databaseID)
                try await sync.credentials.store(named, of: UserID(user))
            }
            sync.notes(1)
            let answer = JSONValue.object([
                "message": .string("You have been rate limited."),
                "additional_data": .object(["rate_limit_reason": .string("workspace_limit")]),
            ])
            let limit = Fault.status(code: 429, detail: answer, headers: ["Retry-After": "3600"])
            sync.faults(.strike(.create, limit, times: 2))
            for user in ["bob", "cyd"] { #expect(try await sync.sync(user: user).status == .queued) }
            #expect(try await Self.gates(sync).filter(\.isClosed).map(\.name.scope) == [.token, .token])
            #expect(try await sync.sync().status == .completed)
        }
    }

    @Test func aKeepAccountThatIsRefusedStopsNoOther() async throws {
        try await withInstallation { sync in
            try await Self.storeBob(sync)
            sync.notes(1)
            sync.faults(.strike(.notes, .status(code: 429, detail: .null, headers: ["Retry-After": "100"]), times: 1))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued && waiting.attempt == 0)
            #expect(waiting.runAt.timeIntervalSinceNow > 90)
            #expect(try await sync.sync(user: "bob").status == .completed)
        }
    }

    /// By whom it said so to, at once; by all, once it has said so to another.
    @Test func anExtractorThatAsksToBeLeftAloneIs() async throws {
        try await withInstallation { sync in
            try await Self.storeBob(sync)
            let credentials = Credentials(googleToken: "g", notionToken: "ntn_cyd", databaseID: "db-of-cyd")
            try await sync.credentials.store(credentials, of: UserID("cyd"))
            sync.notes(1)
            let busy = Fault.status(code: 503, detail: .null, headers: ["Retry-After": "30"])
            sync.faults(.strike(.auth, busy, times: 2))
            for user in [SyncInstallation.user, "bob"] { #expect(try await sync.sync(user: user).attempt == 0) }
            sync.forgetCalls()
            let other = try await sync.sync(user: "cyd")
            #expect(other.status == .queued && other.attempt == 0 && sync.calls.logins == 0)
        }
    }

    /// What one user sends may be the cause.
    @Test func oneUsersPausesOfAPeerStopNoOther() async throws {
        try await withInstallation { sync in
            try await Self.storeBob(sync)
            sync.notes(1)
            let busy = Fault.status(code: 503, detail: .null, headers: ["Retry-After": "30"])
            for _ in 1...3 {
                sync.faults(.strike(.auth, busy, times: 1))
                #expect(try await sync.sync().status == .queued)
                for gate in try await Self.gates(sync) { _ = try await GateList(pool: sync.pool).open(gate.name) }
            }
            #expect(try await sync.sync(user: "bob").status == .completed)
        }
    }
}
