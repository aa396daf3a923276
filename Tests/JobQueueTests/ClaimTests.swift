import Foundation
import Logging
import Postgres
import TestSupport
import Testing

@testable import JobQueue

@Suite struct ClaimTests {
    @Test func takesTheGatewaysPlainInsert() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada", full: true)
        let job = try #require(try await queue.claim().first)
        #expect(job.id == id)
        #expect(job.userID == UserID("ada"))
        #expect(job.isFullSync)
        #expect(job.attempt == 1)
        let row = try await queue.job(id)
        #expect(row.status == .running)
        #expect(row.worker == "w1")
        #expect(try await queue.claim().isEmpty)
    }

    /// After a failover to a server that had not received all, the sequence gives numbers that it has given before.
    @Test func noTwoWorkersHaveEqualLeasesThoughTheSequenceStepsBack() async throws {
        let queue = try await QueueFixture()
        try await queue.insert("ada")
        let before = try #require(try await queue.claim(worker: "w1").first)
        try await queue.pool.execute("UPDATE sync_jobs SET status = 'queued'")
        try await queue.pool.execute("SELECT setval('sync_lease_seq', 1, false)")
        let after = try #require(try await queue.claim(worker: "w2").first)
        #expect(before.id == after.id)
        #expect(before.lease != after.lease)
        // Of whatever the sequence gives a lease can be made, and later blocks are greater.
        let starts = [1, 1025, 2049].map(LeaseNumbers.start(ofBlock:))
        #expect(starts == starts.sorted() && starts.allSatisfy { $0 > 0 })
        _ = LeaseNumbers.start(ofBlock: .max)
        _ = LeaseNumbers.start(ofBlock: .min)
    }

    @Test func goesByPriorityThenTime() async throws {
        let queue = try await QueueFixture()
        let late = try await queue.client.enqueue(user: UserID("a"), fullSync: false)
        let early = try await queue.client.enqueue(
            user: UserID("b"),
            fullSync: false,
            runAt: Date(timeIntervalSinceNow: -60)
        )
        let urgent = try await queue.client.enqueue(user: UserID("c"), fullSync: false, priority: -5)
        let future = try await queue.client.enqueue(
            user: UserID("d"),
            fullSync: false,
            runAt: Date(timeIntervalSinceNow: 60)
        )
        var order: [JobID] = []
        for _ in 0..<3 { order += try await queue.claim().map(\.id) }
        #expect(order == [urgent, early, late])
        #expect(try await queue.claim().isEmpty)
        #expect(try await queue.job(future).status == .queued)
    }

    /// Anybody who may connect can take advisory locks, by whatever key, and keep them.
    @Test func locksThatAnybodyMayTakeDelayNoJob() async throws {
        let queue = try await QueueFixture()
        let traced = try await queue.database.connect()
        for number in 0..<8 { try await queue.insert("user\(number)") }
        try await traced.execute("BEGIN")
        let order = try await queue.claimer().order(8)
        #expect(try await traced.query(order.query).count == 8)
        let pid = try #require(await traced.backendProcessID)
        let locks = try await queue.pool.query("SELECT FROM pg_locks WHERE pid = \(pid) AND locktype = 'advisory'")
        #expect(locks.isEmpty)
        await traced.close()
    }

    /// Two claims that take different jobs of the same users: the second waits, sees what the first took, and takes the
    /// rest.
    @Test func claimsThatMeetAtAUserAreMadeAgain() async throws {
        let queue = try await QueueFixture()
        for user in ["ada", "bob", "ada", "bob", "cleo"] { try await queue.insert(user) }
        let first = try await queue.database.connect()
        try await first.execute("BEGIN")
        // One job of each of the two, as a claim of two slots whose window ends there.
        let order = try await queue.claimer("first").order(2)
        #expect(Set(try await first.query(order.query).map { try $0.decode("user_id", as: String.self) }).count == 2)
        let second = Task { try await queue.claim(4, worker: "second").map(\.userID.rawValue) }
        try await eventually("the second claim waits for the first") {
            try await !queue.pool.query("SELECT FROM pg_locks WHERE NOT granted").isEmpty
        }
        try await first.execute("COMMIT")
        #expect(try await second.value == ["cleo"])
        #expect(try await queue.count("SELECT count(*) FROM sync_queue WHERE lease IS NOT NULL") == 3)
        await first.close()
    }

    @Test func runsOneJobOfAUserAtATime() async throws {
        let queue = try await QueueFixture()
        for _ in 0..<5 { try await queue.insert("ada") }
        try await queue.insert("bob")
        let first = try await queue.claim(10)
        #expect(Set(first.map(\.userID.rawValue)) == ["ada", "bob"])
        #expect(try await queue.claim(10).isEmpty)
        #expect(try await queue.count("SELECT count(*) FROM sync_queue WHERE is_parked") == 4)
        let ada = try #require(first.first { $0.userID.rawValue == "ada" })
        #expect(try await queue.finish(ada, .completed) == ["completed"])
        let second = try await queue.claim(10)
        #expect(second.map(\.userID.rawValue) == ["ada"])
    }

    /// Records that others hold are passed over in the statement itself, so that claims side by side each come back
    /// full.
    @Test func claimsWhatFollowsOnWhatOthersHold() async throws {
        let queue = try await QueueFixture()
        for number in 1...300 { try await queue.insert("user-\(number)") }
        let other = try await queue.claimer("other").order(200)
        try await queue.pool.withTransaction { connection in
            #expect(try await connection.query(other.query).count == 200)
            let claimer = queue.claimer()
            let order = try await claimer.order(64)
            let (batch, next) = try claimer.batch(try await queue.pool.query(order.query), of: order)
            #expect(batch.jobs.count == 64)
            #expect(next != nil)
            let users = Set(batch.jobs.map(\.job.userID.rawValue))
            #expect(users == Set((201...264).map { "user-\($0)" }))
        }
    }

    /// A statement over the whole table, as a tool's export may be, delays the jobs whose records it has locked and no
    /// others.
    @Test func aLockOnThousandsOfRecordsDelaysNoOther() async throws {
        let queue = try await QueueFixture()
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status)
            SELECT gen_random_uuid(), 'user-' || n, 'queued' FROM generate_series(1, 5000) AS n
            """
        )
        try await queue.pool.withTransaction { outside in
            try await outside.execute("SELECT FROM sync_jobs FOR UPDATE")
            let late = try await queue.insert("late")
            #expect(try await queue.claim(4).map(\.id) == [late])
        }
    }

    /// More locked records than one statement passes over, and the claim goes on behind them, once and the next time.
    @Test func manyMoreLockedRecordsThanOneStatementReadsDelayNoOther() async throws {
        let queue = try await QueueFixture()
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, run_at)
            SELECT gen_random_uuid(), 'user-' || n, 'queued', CASE WHEN n <= 12000 THEN now() - interval '1 hour' ELSE now() END
            FROM generate_series(1, 12003) AS n
            """
        )
        try await queue.pool.withTransaction { outside in
            try await outside.execute("SELECT FROM sync_jobs WHERE run_at < now() - interval '1 minute' FOR UPDATE")
            let claimer = queue.claimer()
            for _ in 1...3 { #expect(try await claimer.claim(1).jobs.count == 1) }
            let end = try await claimer.claim(1)
            #expect(end.jobs.isEmpty)
            #expect(!end.mayBeMore, "all that is due was read")
        }
        #expect(try await queue.claim(4).count == 4)
    }

    /// Nothing can be parked behind a queue row that an outside transaction has locked.
    @Test(arguments: [
        "SELECT FROM sync_queue WHERE lease IS NOT NULL FOR UPDATE", "UPDATE sync_jobs SET status = 'cancelled'",
    ])
    func aUserWhoseJobsCantBeParkedDelaysNoOther(_ statement: String) async throws {
        let queue = try await QueueFixture()
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, run_at)
            SELECT gen_random_uuid(), 'many', 'queued', now() - interval '1 hour' FROM generate_series(1, 3000)
            """
        )
        let first = try #require(try await queue.claim().first)
        try await queue.unparkAll()
        for number in 1...40 { try await queue.insert("other-\(number)") }
        try await queue.pool.withTransaction { outside in
            let isOfJob = statement.hasPrefix("UPDATE") ? " WHERE job_id = '\(first.id)'" : ""
            _ = try await outside.query(PostgresQuery(stringLiteral: statement + isOfJob))
            let claimer = queue.claimer()
            var users: Set<String> = []
            for _ in 1...20 { users.formUnion(try await claimer.claim(2).jobs.map(\.job.userID.rawValue)) }
            #expect(users == Set((1...40).map { "other-\($0)" }), "none was passed over by a wide claim")
            #expect(try await claimer.claim(2).jobs.isEmpty)
        }
    }

    @Test func theDatabaseItselfAllowsOneRunningJobOfAUser() async throws {
        let queue = try await QueueFixture()
        try await queue.insert("ada")
        try await queue.insert("ada")
        await #expect {
            try await queue.pool.execute("UPDATE sync_queue SET lease = 1")
        } throws: { error in
            (error as? PostgresError)?.sqlState == .uniqueViolation
        }
    }

    @Test func aUserWithManyJobsIsPassedOverOnce() async throws {
        let queue = try await QueueFixture()
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, run_at)
            SELECT gen_random_uuid(), 'many', 'queued', now() - interval '1 hour' FROM generate_series(1, 10000)
            """
        )
        try await queue.unparkAll()
        try await queue.insert("other")
        #expect(try await queue.claim().first?.userID == UserID("many"))
        // The next claim looks past the head of the queue, which it parks.
        var found: [ClaimedJob] = []
        for _ in 0..<20 where found.isEmpty { found = try await queue.claim() }
        #expect(found.map(\.userID.rawValue) == ["other"])
        #expect(try await queue.count("SELECT count(*) FROM sync_queue WHERE is_parked") == 9999)
        // And now nothing stands between the next claim and the next user.
        try await queue.insert("third")
        let batch = try await queue.pool.query(
            .claim(slots: 1, window: 1, after: nil, worker: "w", firstLease: Lease(1_000_000), lease: .seconds(60))
        )
        #expect(try batch.first?.decode("user_id", as: String?.self) == "third")
    }

    /// As where each of them ends at once: a claim finds one, and others of the same user behind it.
    @Test func aFloodIsPassedMoreAndMoreQuickly() async throws {
        let queue = try await QueueFixture()
        let claimer = queue.claimer()
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status)
            SELECT gen_random_uuid(), 'many', 'queued' FROM generate_series(1, 5000)
            """
        )
        try await queue.unparkAll()
        try await queue.insert("other")
        var claims = 0
        var users: [String] = []
        while !users.contains("other") {
            let jobs = try await claimer.claim(4).jobs.map(\.job)
            users += jobs.map(\.userID.rawValue)
            for job in jobs where job.userID.rawValue == "many" { _ = try await queue.finish(job, .completed) }
            claims += 1
            try #require(claims < 40)
        }
    }

    @Test func aDeepQueueIsReadOnFromWhereTheLastClaimEnded() async throws {
        let queue = try await QueueFixture()
        let claimer = queue.claimer()
        for number in 0..<12 { try await queue.insert("user\(number)") }
        let began = ContinuousClock.now
        #expect(try await claimer.order(5, now: began).position == nil)
        #expect(try await claimer.claim(5).jobs.count == 5)
        #expect(try await claimer.order(5, now: began).position != nil)
        // Comes before that place: it waits until the head is read again, which it is after a second (on a busy
        // machine, where reading it takes long, after ten at most), and when there is nothing more behind the place.
        try await queue.pool.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status, priority) VALUES (gen_random_uuid(), 'urgent', 'queued', -1)"
        )
        let later = ContinuousClock.now + .seconds(11)
        #expect(try await claimer.order(5, now: later).position == nil)
        // What is claimed until then goes on where it was.
        #expect(try await claimer.order(5, now: later).position != nil)
        var users: [String] = []
        while case let jobs = try await claimer.claim(5).jobs, !jobs.isEmpty {
            users += jobs.map(\.job.userID.rawValue)
        }
        #expect(users.count == 8)
        #expect(users.contains("urgent"))
        // With a queue that is not deep, the next claim begins at the head at once.
        #expect(try await claimer.order(5).position == nil)
    }

    /// As behind all that an open transaction keeps in the index.
    @Test func aHeadThatCostsMuchIsReadNowAndThen() async throws {
        let queue = try await QueueFixture()
        let claimer = Claimer(
            pool: queue.pool,
            configuration: queue.configuration(),
            cheapHead: .zero,
            logger: Logger(label: "test")
        )
        for number in 0..<3 { try await queue.insert("user\(number)") }
        let began = ContinuousClock.now
        #expect(try await claimer.claim(5).jobs.count == 3)
        #expect(try await claimer.order(5, now: began).position != nil)
        try await queue.insert("next")
        try await queue.pool.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status, priority) VALUES (gen_random_uuid(), 'urgent', 'queued', -1)"
        )
        // Both are found, the one before the place as soon as the head is read.
        let forever = Duration.seconds(3600)
        var users: [String] = []
        while users.count < 2 {
            let jobs = try await claimer.claim(5).jobs
            users += jobs.map(\.job.userID.rawValue)
            guard users.count < 2 else { break }
            try #require(!jobs.isEmpty || claimer.next(atMost: forever) < forever)
        }
        #expect(Set(users) == ["next", "urgent"])
        // Once the head has been read in vain, nothing is owed.
        try await eventually("a worker at rest") {
            try await claimer.claim(5).jobs.isEmpty && claimer.next(atMost: forever) == forever
        }
    }

    @Test func everyJobOfManyClaimersRunsOnce() async throws {
        let queue = try await QueueFixture()
        for number in 0..<300 { try await queue.insert("user\(number % 30)") }
        let claimed = try await withThrowingTaskGroup(of: [JobID].self) { group in
            for worker in 0..<6 {
                group.addTask {
                    var mine: [JobID] = []
                    while try await queue.count("SELECT count(*) FROM sync_jobs WHERE status IN ('queued','running')")
                        > 0
                    {
                        let jobs = try await queue.claim(3, worker: "w\(worker)")
                        // As the rescuer does: a run may have ended while another claim held the record of the user's
                        // next.
                        if jobs.isEmpty { try await queue.pool.execute(.unparkStranded()) }
                        for job in jobs {
                            #expect(try await queue.finish(job, .completed) == ["completed"])
                        }
                        mine += jobs.map(\.id)
                    }
                    return mine
                }
            }
            return try await group.reduce(into: [JobID]()) { $0 += $1 }
        }
        #expect(claimed.count == 300)
        #expect(Set(claimed).count == 300)
    }

    @Test func leasesAreNewAtEveryClaim() async throws {
        let queue = try await QueueFixture()
        try await queue.insert("ada")
        var leases: [Lease] = []
        for _ in 0..<3 {
            let job = try #require(try await queue.claim().first)
            leases.append(job.lease)
            #expect(job.attempt == 1)
            #expect(try await queue.finish(job, .released(.stopping)) == ["queued"])
        }
        #expect(Set(leases).count == 3)
    }
}
