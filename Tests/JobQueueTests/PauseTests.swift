import Foundation
import Postgres
import TestSupport
import Testing

@testable import JobQueue

/// What is paused is not claimed, by whatever way it comes into the queue; what is forced is; and when a pause ends,
/// its jobs come in their order.
@Suite(.timeLimit(.minutes(3)))
struct PauseTests {
    private static let anna = UserID("anna")

    private func users(_ jobs: [ClaimedJob]) -> Set<String> { Set(jobs.map(\.userID.rawValue)) }

    @Test func jobsOfAPausedUserWaitAndComeInTheirOrder() async throws {
        let queue = try await QueueFixture()
        let pauses = PauseList(pool: queue.pool)
        let first = try await queue.insert("anna")
        #expect(try await pauses.pause(.user(Self.anna), for: nil, reason: "Asked for it.").until == nil)
        let second = try await queue.insert("anna")
        try await queue.insert("bob")
        #expect(users(try await queue.claim(8)) == ["bob"])
        let third = try await queue.client.enqueue(user: Self.anna, fullSync: false, priority: -3)
        // However often: nothing brings them back before the pause has ended.
        for _ in 1...3 {
            #expect(try await queue.claim(8).isEmpty)
            try await queue.pool.execute(.unparkStranded())
        }
        #expect(try await queue.client.disagreements().isEmpty)
        #expect(try await pauses.resume(.user(Self.anna))?.reason == "Asked for it.")
        #expect(try await pauses.resume(.user(Self.anna)) == nil)
        for expected in [third, first, second] {
            let jobs = try await queue.claim(8)
            #expect(jobs.map(\.id) == [expected], "one at a time")
            for job in jobs { #expect(try await queue.finish(job, .completed) == ["completed"]) }
            _ = try await queue.pool.query(.unparkNext(of: [Self.anna], wakes: false))
        }
        #expect(try await queue.client.disagreements().isEmpty)
    }

    /// By hand, by the gateway, by the end of an attempt, from a dead worker: in whatever way it comes back.
    @Test func noOtherStatementEndsAPause() async throws {
        let queue = try await QueueFixture()
        let pauses = PauseList(pool: queue.pool)
        var ids: [JobID] = []
        for _ in 1...4 { ids.append(try await queue.insert("anna")) }
        let running = try #require(try await queue.claim(1).first)
        _ = try await pauses.pause(.user(Self.anna), for: .seconds(3600), reason: "r")
        #expect(try await pauses.running(.user(Self.anna)) == 1)
        // What runs goes on, and comes back without being claimed again.
        #expect(try await queue.finish(running, .released(.stopping)) == ["queued"])
        _ = try await queue.pool.query(.unparkNext(of: [Self.anna], wakes: true))
        #expect(try await queue.claim(8).isEmpty)
        for statement in [
            "UPDATE sync_jobs SET run_at = now() - interval '1 hour'", "UPDATE sync_jobs SET priority = -5",
            "UPDATE sync_jobs SET status = 'cancelled'", "UPDATE sync_jobs SET status = 'queued'",
            "UPDATE sync_jobs SET user_id = 'anna'", "DELETE FROM sync_jobs WHERE priority = 3",
        ] {
            try await queue.pool.execute(PostgresQuery(stringLiteral: statement))
            #expect(try await queue.claim(8).isEmpty, "\(statement)")
            #expect(try await queue.client.disagreements().isEmpty, "\(statement)")
        }
        for id in ids { try await queue.client.retry(id) }
        #expect(try await queue.claim(8).isEmpty)
        // A flood at once, of which all but one are parked from the start.
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status) SELECT gen_random_uuid(), 'anna', 'queued' FROM generate_series(1, 300)
            """
        )
        for _ in 1...4 { #expect(try await queue.claim(8).isEmpty) }
        #expect(try await queue.count("SELECT count(*) FROM sync_queue") == 304)
        #expect(try await queue.count("SELECT count(*) FROM sync_queue WHERE NOT is_parked") == 0)
        #expect(try await pauses.resume(.user(Self.anna)) != nil)
        #expect(try await queue.claim(8).count == 1)
    }

    @Test(arguments: [PauseScope.all, .peer("notion_writer")])
    func nothingIsClaimedButWhatIsForced(_ scope: PauseScope) async throws {
        let queue = try await QueueFixture()
        let pauses = PauseList(pool: queue.pool)
        let first = try await queue.insert("anna")
        _ = try await pauses.pause(scope, for: nil, reason: "Moving.")
        try await queue.insert("bob")
        let claimer = queue.claimer()
        #expect(try await claimer.claim(8).jobs.isEmpty)
        let forced = try await queue.client.enqueue(user: UserID("carl"), fullSync: false, isForced: true)
        let again = try await queue.client.enqueue(user: UserID("carl"), fullSync: false, isForced: true)
        let batch = try await claimer.claim(8)
        #expect(batch.jobs.map(\.job.id) == [forced], "one job of a user at a time")
        // An attempt that has to be made again is forced still.
        let job = try #require(batch.jobs.first?.job)
        #expect(try await queue.finish(job, .released(.stopping)) == ["queued"])
        let next = try #require(try await claimer.claim(8).jobs.first?.job)
        #expect(next.id == forced)
        #expect(try await queue.finish(next, .completed) == ["completed"])
        _ = try await queue.pool.query(.unparkNext(of: [UserID("carl")], wakes: false))
        #expect(try await claimer.claim(8).jobs.map(\.job.id) == [again])
        #expect(try await claimer.claim(8).jobs.isEmpty)
        // Nothing was written for the others.
        #expect(try await queue.count("SELECT count(*) FROM sync_queue WHERE is_parked") == 0)
        #expect(try await pauses.resume(scope) != nil)
        // Also by a claimer that has come past them.
        let jobs = try await claimer.claim(8).jobs.map(\.job)
        #expect(users(jobs) == ["anna", "bob"] && jobs.contains { $0.id == first })
    }

    @Test func aForcedJobOfAPausedUserPassesTheOthers() async throws {
        let queue = try await QueueFixture()
        _ = try await PauseList(pool: queue.pool).pause(.user(Self.anna), for: nil, reason: "r")
        for _ in 1...3 { try await queue.insert("anna") }
        #expect(try await queue.claim(8).isEmpty)
        let forced = try await queue.client.enqueue(user: Self.anna, fullSync: false, isForced: true)
        let job = try #require(try await queue.claim(8).first)
        #expect(job.id == forced)
        let another = try await queue.client.enqueue(user: Self.anna, fullSync: false, isForced: true)
        #expect(try await queue.claim(8).isEmpty)
        #expect(try await queue.finish(job, .completed) == ["completed"])
        _ = try await queue.pool.query(.unparkNext(of: [Self.anna], wakes: false))
        #expect(try await queue.claim(8).map(\.id) == [another])
        // It was forced once: a retry of it waits as the others do.
        try await queue.client.retry(forced)
        #expect(try await queue.count("SELECT count(*) FROM sync_jobs WHERE is_forced AND status = 'queued'") == 0)
    }

    /// By the database's clock, whether or not anybody has deleted the row.
    @Test func aPauseEndsWhenItsTimeIsOver() async throws {
        let queue = try await QueueFixture()
        let pauses = PauseList(pool: queue.pool)
        for user in ["anna", "bob"] { try await queue.insert(user) }
        _ = try await pauses.pause(.user(Self.anna), for: .seconds(3600), reason: "r")
        _ = try await pauses.pause(.all, for: .seconds(3600), reason: "r")
        #expect(try await queue.claim(8).isEmpty)
        try await queue.pool.execute("UPDATE sync_pauses SET paused_until = now() WHERE scope = 'all'")
        #expect(users(try await queue.claim(8)) == ["bob"])
        #expect(try await pauses.counts() == ["all": 0, "peer": 0, "user": 1])
        try await queue.pool.execute("ALTER TABLE sync_pauses DISABLE TRIGGER sync_pauses_timed")
        try await queue.pool.execute("UPDATE sync_pauses SET paused_until = now()")
        #expect(try await queue.claim(8).isEmpty, "parked until somebody ends the pause")
        try await PauseEnds.endAll(queue.pool)
        #expect(try await queue.count("SELECT count(*) FROM sync_pauses") == 0)
        #expect(users(try await queue.claim(8)) == ["anna"])
    }

    @Test func aPauseThatIsGivenATimeInThePastEndsAtOnce() async throws {
        let queue = try await QueueFixture()
        try await queue.insert("anna")
        _ = try await PauseList(pool: queue.pool).pause(.user(Self.anna), for: .seconds(3600), reason: "r")
        #expect(try await queue.claim(8).isEmpty)
        try await queue.pool.execute("UPDATE sync_pauses SET paused_until = now()")
        #expect(users(try await queue.claim(8)) == ["anna"])
    }

    /// Long before the next poll, and the next round of the rescuer.
    @Test(arguments: [PauseScope.user(UserID("anna")), .all])
    func workersWakeWhenAPauseEnds(_ scope: PauseScope) async throws {
        let queue = try await QueueFixture()
        let pauses = PauseList(pool: queue.pool)
        try await queue.withWorker(lease: .seconds(300), poll: .seconds(300)) {
            for _ in 1...2 {
                try await eventually("a worker that can be woken") {
                    try await queue.count("SELECT count(*) FROM sync_workers WHERE wakeable") == 1
                }
                let until = try #require(try await pauses.pause(scope, for: .seconds(2), reason: "r").until)
                let id = try await queue.insert("anna")
                try await eventually(within: .seconds(20), "the end of the job") {
                    try await queue.job(id).status == .completed
                }
                let late = try #require(try await queue.job(id).startedAt).timeIntervalSince(until)
                #expect(late > 0 && late < 4, "\(late) s")
            }
        }
    }

    /// Without a limit: it would wait for as long as somebody holds the row.
    @Test func aPauseThatSomebodyHasLockedHoldsUpItsOwnUserAlone() async throws {
        let queue = try await QueueFixture()
        let pauses = PauseList(pool: queue.pool)
        for user in ["anna", "bob", "carl"] {
            try await queue.insert(user)
            _ = try await pauses.pause(.user(UserID(user)), for: .milliseconds(500), reason: "r")
        }
        #expect(try await queue.claim(8).isEmpty)
        try await eventually("the time of the pauses") { try await pauses.counts()["user"] == 0 }
        try await queue.pool.withTransaction { outside in
            try await outside.execute("UPDATE sync_pauses SET reason = 'mine' WHERE key = 'bob'")
            try await PauseEnds.endAll(queue.pool)
            #expect(try await queue.count("SELECT count(*) FROM sync_pauses") == 1)
            #expect(users(try await queue.claim(8)) == ["anna", "carl"])
            try await queue.pool.execute(.unparkStranded())
        }
        try await PauseEnds.endAll(queue.pool)
        #expect(try await queue.count("SELECT count(*) FROM sync_pauses") == 0)
        #expect(users(try await queue.claim(8)) == ["bob"])
    }

    @Test func aPauseTakesThePlaceOfTheOneBefore() async throws {
        let queue = try await QueueFixture()
        let pauses = PauseList(pool: queue.pool)
        #expect(try await pauses.pause(.all, for: nil, reason: "one").earlier == nil)
        let second = try await pauses.pause(.all, for: .seconds(600), reason: "two")
        #expect(second.earlier?.reason == "one" && second.earlier?.pausedUntil == nil)
        #expect((second.until?.timeIntervalSinceNow ?? 0) > 500)
        _ = try await pauses.pause(.user(UserID("x")), for: nil, reason: "three")
        _ = try await pauses.pause(.peer("keep_extractor"), for: nil, reason: "four")
        let all = try await pauses.pauses(limit: 10)
        #expect(all.map(\.scope) == [.all, .peer("keep_extractor"), .user(UserID("x"))])
        #expect(all.map(\.pausedBy) == ["postgres", "postgres", "postgres"])
        #expect(try await pauses.pauses(limit: 1).count == 1)
    }

    /// A claim that has parked a job of a user holds the pause: whoever ends it waits, and sees the job.
    @Test func aPauseThatEndsBesideAClaimLeavesNoJobBehind() async throws {
        let queue = try await QueueFixture()
        let pauses = PauseList(pool: queue.pool)
        for round in 1...20 {
            _ = try await pauses.pause(.user(Self.anna), for: nil, reason: "r")
            let id = try await queue.insert("anna")
            async let claims = (try await queue.claim(4), try await queue.claim(4, worker: "w2"))
            async let ended = pauses.resume(.user(Self.anna))
            let (first, second) = try await claims
            #expect(try await ended != nil)
            var jobs = first + second
            if jobs.isEmpty { jobs = try await queue.claim(4) }
            let job = try #require(jobs.first, "round \(round)")
            #expect(job.id == id)
            #expect(try await queue.finish(job, .completed) == ["completed"])
        }
    }

    @Test func whyAJobDoesNotRun() async throws {
        let queue = try await QueueFixture()
        let pauses = PauseList(pool: queue.pool)
        let id = try await queue.insert("anna")
        func hold() async throws -> JobHold? { try await queue.client.hold(on: id) }
        #expect(try await hold() == .noWorker)
        _ = try await pauses.pause(.user(Self.anna), for: nil, reason: "Why not.")
        #expect(try await queue.claim(1).isEmpty)
        guard case .paused(let pause)? = try await hold() else { throw Unexpected(hold: try await hold()) }
        #expect(pause.reason == "Why not." && pause.scope == .user(Self.anna))
        _ = try await pauses.resume(.user(Self.anna))
        let job = try #require(try await queue.claim(1).first)
        #expect(try await hold() == nil)
        let other = try await queue.insert("anna")
        guard case .running(id)? = try await queue.client.hold(on: other) else { throw Unexpected(hold: nil) }
        let closed = JobOutcome.snoozed(for: .seconds(600), reason: "closed", gate: "g1")
        #expect(try await queue.finish(job, closed) == ["queued"])
        // The gate is open by now, and was the reason all the same.
        guard case .later(_, "closed"?)? = try await hold() else { throw Unexpected(hold: try await hold()) }
        try await queue.pool.execute(
            "INSERT INTO sync_gates (gate, closed_at, closed_until) VALUES ('g1', now(), now() + interval '1 hour')"
        )
        guard case .snoozed(let gate, _)? = try await hold() else { throw Unexpected(hold: try await hold()) }
        #expect(gate.name == "g1" && gate.closedUntil != nil && gate.outOfOrderSince == nil)
        try await queue.pool.execute("UPDATE sync_jobs SET run_at = now() + interval '1 day'")
        guard case .later(_, nil)? = try await hold() else { throw Unexpected(hold: try await hold()) }
    }

    @Test func aPauseThatHasEndedByItselfIsRemembered() async throws {
        let queue = try await QueueFixture()
        let pauses = PauseList(pool: queue.pool)
        for scope in [PauseScope.all, .user(Self.anna), .peer("p")] {
            #expect(try await pauses.ended(scope) == nil)
            let until = try await pauses.pause(scope, for: .milliseconds(1), reason: "r").until
            try await eventually(within: .seconds(10), "the end of the pause") {
                try await PauseEnds.endAll(queue.pool)
                return try await queue.count("SELECT count(*) FROM sync_pauses") == 0
            }
            #expect(try await pauses.resume(scope) == nil)
            #expect(try await pauses.ended(scope)?.pausedUntil == until)
        }
        // One that is resumed has not ended by itself.
        _ = try await pauses.pause(.user(UserID("bob")), for: .seconds(600), reason: "r")
        #expect(try await pauses.resume(.user(UserID("bob"))) != nil)
        #expect(try await pauses.ended(.user(UserID("bob"))) == nil)
        // The next that ends makes room.
        try await queue.pool.execute("UPDATE sync_ended_pauses SET paused_until = now() - interval '25 hours'")
        _ = try await pauses.pause(.all, for: .milliseconds(1), reason: "r")
        try await eventually(within: .seconds(10), "the end of the pause") {
            try await PauseEnds.endAll(queue.pool)
            return try await queue.count("SELECT count(*) FROM sync_pauses") == 0
        }
        #expect(try await queue.count("SELECT count(*) FROM sync_ended_pauses") == 1)
    }

    private struct Unexpected: Error {
        let hold: JobHold?
    }

    @Test func aRestoredRowThatSaysOtherwiseOfForceIsRepaired() async throws {
        let queue = try await QueueFixture()
        for user in ["anna", "bob", "carl"] { try await queue.insert(user) }
        try await queue.pool.execute("UPDATE sync_queue SET is_forced = true WHERE user_id <> 'carl'")
        try await queue.pool.execute("UPDATE sync_queue SET is_parked = true WHERE user_id = 'bob'")
        #expect(try await queue.client.disagreements().map(\.problem) == [.stale, .stale])
        let repaired = try await queue.pool.query(.repair(records: 100)).map {
            try $0.decode("problem", as: String.self)
        }
        #expect(repaired == ["stale", "stale"])
        #expect(try await queue.client.disagreements().isEmpty)
        #expect(try await queue.count("SELECT count(*) FROM sync_queue") == 3)
        // A change from outside reaches the queue.
        try await queue.pool.execute("UPDATE sync_jobs SET is_forced = true")
        #expect(try await queue.count("SELECT count(*) FROM sync_queue WHERE is_forced") == 3)
        #expect(try await queue.client.disagreements().isEmpty)
    }
}
