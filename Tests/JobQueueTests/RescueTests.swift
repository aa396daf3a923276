import Foundation
import Postgres
import Testing

@testable import JobQueue

@Suite struct RescueTests {
    private func expire(_ queue: QueueFixture) async throws {
        try await queue.pool.execute(
            "UPDATE sync_queue SET lease_expires_at = now() - interval '1 second' WHERE lease IS NOT NULL"
        )
    }

    @Test func aDeadWorkersJobGoesBackWithItsAttempt() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        let job = try #require(try await queue.claim(worker: "dead").first)
        #expect(try await queue.pool.query(.rescue(limit: 100)).isEmpty)
        try await expire(queue)
        #expect(try await queue.pool.query(.rescue(limit: 100)).count == 1)
        let row = try await queue.job(id)
        #expect(row.status == .queued)
        #expect(row.attempt == 0)
        #expect(row.crashes == 1)
        #expect(row.lastError?.contains("dead") == true)
        #expect(try await queue.finish(job, .completed).isEmpty)
        #expect(try await queue.client.logs(of: id).map(\.level) == ["WARNING"])
    }

    /// Source: riverqueue/river, issue 1318.
    @Test func jobsThatCantBeRescuedHideNoOthers() async throws {
        let queue = try await QueueFixture()
        for number in 1...6 { try await queue.insert("user-\(number)") }
        let jobs = try await queue.claim(6)
        try await expire(queue)
        try await queue.pool.withTransaction { outside in
            try await outside.execute("SELECT FROM sync_jobs WHERE user_id <> 'user-6' FOR UPDATE")
            // As many as one statement takes are locked.
            let rescued = try await queue.pool.query(.rescue(limit: 5))
            #expect(try rescued.map { try $0.decode("user_id", as: String.self) } == ["user-6"])
        }
        #expect(try await queue.pool.query(.rescue(limit: 5)).count == 5)
        #expect(jobs.count == 6)
    }

    @Test func aPoisonousJobKillsWorkersForAWhileOnly() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        for crash in 1...4 {
            try await queue.pool.execute("UPDATE sync_jobs SET run_at = now() WHERE status = 'queued'")
            #expect(try await queue.claim().count == 1, "crash \(crash)")
            try await expire(queue)
            _ = try await queue.pool.query(.rescue(limit: 100))
        }
        let row = try await queue.job(id)
        #expect(row.status == .failed)
        #expect(row.errorMessage?.contains("4 workers died") == true)
        #expect(row.completedAt != nil)
        #expect(try await queue.client.logs(of: id).last?.level == "ERROR")
    }

    private static let instance = WorkerInstance()

    /// As a worker that lives and has heard nothing of its claim.
    private func beat(_ queue: QueueFixture, firstLease: Lease, jobs: [ClaimedJob] = []) async throws {
        try await queue.pool.execute(
            .heartbeat(
                worker: WorkerPresence(
                    instance: Self.instance,
                    name: "w1",
                    slots: 2,
                    version: "1",
                    firstLease: firstLease
                ),
                jobs: jobs.map { ($0.id, $0.userID, $0.lease) },
                ended: EndedJobs(),
                lease: .seconds(60)
            )
        )
    }

    @Test func aClaimOfWhichALivingWorkerNeverHeardIsNoCrash() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        for _ in 1...6 {
            let job = try #require(try await queue.claim().first)
            try await beat(queue, firstLease: job.lease)
            try await expire(queue)
            let rescued = try #require(try await queue.pool.query(.rescue(limit: 100)).first)
            #expect(try !rescued.decode("is_crash", as: Bool.self))
        }
        let row = try await queue.job(id)
        #expect(row.status == .queued && row.crashes == 0 && row.attempt == 0)
        #expect(row.lastError?.contains("never heard") == true)
        #expect(try await queue.client.disagreements().isEmpty)
    }

    @Test func aLeaseThatWasRenewedOrWhoseWorkerIsGoneIsACrash() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        /// Claims, lets `before` happen and the lease run out; gives the crashes.
        func crashes(_ before: (ClaimedJob) async throws -> Void) async throws -> Int {
            try await queue.pool.execute("UPDATE sync_jobs SET run_at = now()")
            try await before(try #require(try await queue.claim().first))
            try await expire(queue)
            _ = try await queue.pool.query(.rescue(limit: 100))
            return try await queue.job(id).crashes
        }
        #expect(try await crashes { try await beat(queue, firstLease: $0.lease, jobs: [$0]) } == 1)
        // Another process of that name lives: it has drawn its numbers since.
        #expect(try await crashes { try await beat(queue, firstLease: Lease($0.lease.rawValue + 1024)) } == 2)
        let crashed = try await crashes { job in
            try await beat(queue, firstLease: job.lease)
            try await queue.pool.execute("UPDATE sync_workers SET present_until = now() - interval '1 second'")
        }
        #expect(crashed == 3)
        // What was renewed under one lease is not under the next.
        #expect(try await crashes { try await beat(queue, firstLease: $0.lease) } == 3)
    }

    @Test func whatAStoppedWorkerLeftIsNoCrashAndIsForgottenInTime() async throws {
        let queue = try await QueueFixture()
        let ids = [try await queue.insert("ada"), try await queue.insert("bob")]
        let jobs = try await queue.claim(2)
        for job in jobs { try await beat(queue, firstLease: job.lease, jobs: [job]) }
        let left = try #require(jobs.first { $0.id == ids[0] })
        let stopped = WorkerInstance()
        // Told twice, as where the first answer was lost.
        for leases in [[left.lease], []] {
            try await queue.pool.execute(.recordStop(of: stopped, named: "w1", leaving: leases))
        }
        try await queue.pool.execute(.recordStop(of: WorkerInstance(), named: "w2", leaving: []))
        try await queue.pool.execute("UPDATE sync_stopped_workers SET stopped_at = now() - interval '2 days'")
        try await queue.pool.execute(.pruneStoppedWorkers())
        #expect(try await queue.count("SELECT count(*) FROM sync_stopped_workers WHERE worker = 'w1'") == 1)
        #expect(try await queue.count("SELECT count(*) FROM sync_stopped_workers") == 1)
        try await expire(queue)
        let rescued = try await queue.pool.query(.rescue(limit: 100))
        let crashes = try rescued.map { (JobID(try $0.decode("job_id")), try $0.decode("is_crash", as: Bool.self)) }
        #expect(crashes.count == 2 && crashes.allSatisfy { $0.1 == ($0.0 == ids[1]) })
        #expect(try await queue.job(ids[0]).crashes == 0)
        #expect(try await queue.job(ids[1]).crashes == 1)
        #expect(try await queue.client.disagreements().isEmpty)
        try await queue.pool.execute(.pruneStoppedWorkers())
        #expect(try await queue.count("SELECT count(*) FROM sync_stopped_workers") == 0)
    }

    /// As after an outage: the first worker to come back must not take another for dead that has only not come back
    /// yet.
    @Test func whoHasHadNoTimeToSayThatItLivesIsNotTakenForDead() async throws {
        let queue = try await QueueFixture()
        let ids = [try await queue.insert("ada"), try await queue.insert("bob")]
        let jobs = try await queue.claim(2)
        try await beat(queue, firstLease: jobs[0].lease, jobs: [jobs[0]])
        try await queue.pool.execute("UPDATE sync_workers SET present_until = now() - interval '1 second'")
        try await expire(queue)
        let rescued = try await queue.pool.query(.rescue(limit: 100, isSettled: false)).map {
            JobID(try $0.decode("job_id"))
        }
        #expect(rescued == [jobs[0].id])
        #expect(try await queue.pool.query(.rescue(limit: 100)).count == 1)
        for id in ids { #expect(try await queue.job(id).crashes == 1) }
    }

    /// As of a heartbeat whose connection has gone silent in the middle.
    @Test func aHeartbeatWaitsForNoLockOfTheWorkersRow() async throws {
        let queue = try await QueueFixture()
        try await queue.insert("ada")
        let jobs = try await queue.claim()
        let first = Lease(1)
        try await beat(queue, firstLease: first, jobs: jobs)
        try await expire(queue)
        try await queue.pool.withTransaction { other in
            try await other.execute("UPDATE sync_workers SET running = 7")
            try await beat(queue, firstLease: first, jobs: jobs)
        }
        #expect(try await queue.pool.query(.rescue(limit: 100)).isEmpty)
        try await beat(queue, firstLease: first, jobs: jobs)
        #expect(try await queue.count("SELECT running FROM sync_workers") == 1)
    }

    @Test func runsThatComeToTheirEndPayForCrashes() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        let steps: [(JobOutcome, Int)] = [
            (.released(.stopping), 2), (.snoozed(for: .seconds(1), reason: "later"), 1), (.retry(error: "again"), 0),
            (.retry(error: "again"), 0),
        ]
        try await queue.pool.execute("UPDATE sync_jobs SET crashes = 2")
        for (outcome, crashes) in steps {
            try await queue.pool.execute("UPDATE sync_jobs SET run_at = now()")
            let job = try #require(try await queue.claim().first)
            #expect(try await queue.finish(job, outcome) == ["queued"])
            #expect(try await queue.job(id).crashes == crashes)
        }
    }

    @Test func aHeartbeatKeepsTheJobAndSaysWhatIsLost() async throws {
        let queue = try await QueueFixture()
        try await queue.insert("ada")
        try await queue.insert("bob")
        let jobs = try await queue.claim(2)
        try await expire(queue)
        try await queue.pool.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE user_id = 'bob'")
        let renewed = try await queue.pool.query(
            .heartbeat(
                worker: WorkerPresence(instance: WorkerInstance(), name: "w1", slots: 2, version: "1"),
                jobs: jobs.map { ($0.id, $0.userID, $0.lease) },
                ended: EndedJobs(completed: 3, failed: 1),
                lease: .seconds(60)
            )
        )
        #expect(
            try renewed.map { JobID(try $0.decode("job_id", as: UUID.self)) }
                == jobs.filter { $0.userID.rawValue == "ada" }.map(\.id)
        )
        #expect(try await queue.pool.query(.rescue(limit: 100)).isEmpty)
        #expect(try await queue.count("SELECT running FROM sync_workers WHERE worker = 'w1'") == 2)
        #expect(try await queue.count("SELECT completed + failed FROM sync_throughput WHERE worker = 'w1'") == 4)
    }

    @Test func aJobThatIsSetToRunningFromOutsideIsLeftAlone() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        try await queue.pool.execute("UPDATE sync_jobs SET status = 'running'")
        #expect(try await queue.claim().isEmpty)
        #expect(try await queue.pool.query(.rescue(limit: 100)).isEmpty)
        #expect(try await queue.pool.query(.repair(records: 100)).isEmpty)
        #expect(try await queue.job(id).status == .running)
        #expect(try await queue.client.disagreements().isEmpty)
    }

    @Test func aStrandedParkedJobComesBack() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        try await queue.insert("bob")
        try await queue.pool.execute("UPDATE sync_queue SET is_parked = true WHERE user_id = 'ada'")
        #expect(try await queue.claim(5).map(\.userID.rawValue) == ["bob"])
        try await queue.pool.execute(.unparkStranded())
        #expect(try await queue.claim(5).map(\.id) == [id])
    }

    /// What the model found: nobody but the net brings it back, and the waiting job may be due next week.
    @Test func aStrandedParkedJobDoesNotWaitForOneThatIsNotDue() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        try await queue.pool.execute("UPDATE sync_queue SET is_parked = true")
        let later = try await queue.insert("ada")
        try await queue.pool.execute(
            "UPDATE sync_jobs SET run_at = now() + interval '7 days' WHERE job_id = \(later.rawValue)"
        )
        try await queue.pool.execute(.unparkStranded())
        #expect(try await queue.claim(5).map(\.id) == [id])
    }
}
