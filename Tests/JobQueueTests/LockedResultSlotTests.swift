import Logging
import Postgres
import Support
import TestSupport
import Testing

@testable import JobQueue

/// Somebody has as many rows of running jobs locked as a worker has slots, and leaves the transaction open: other jobs
/// run all the same, and those whose rows are locked stay this worker's.
@Suite(.timeLimit(.minutes(2)))
struct LockedResultSlotTests {
    @Test(arguments: [
        "SELECT FROM sync_jobs WHERE user_id IN ('ada', 'bob') FOR UPDATE",
        "SELECT FROM sync_queue WHERE user_id IN ('ada', 'bob') FOR UPDATE",
    ])
    func slotsOfLockedResultsBecomeFree(_ statement: String) async throws {
        let queue = try await QueueFixture()
        let locked = [try await queue.insert("ada"), try await queue.insert("bob")]
        let mayEnd = StopSignal()
        let begun = Mutex<[String]>([])
        let handler: JobHandler = { context in
            begun.withLock { $0.append(context.job.userID.rawValue) }
            if ["ada", "bob"].contains(context.job.userID.rawValue) { await mayEnd.untilRequested() }
            return .completed
        }
        // Locked queue rows can't be renewed: there the lease must outlast the lock.
        let lease: Duration = statement.contains("sync_jobs") ? .seconds(8) : .seconds(60)
        try await queue.withWorker(slots: 2, lease: lease, poll: .seconds(60), handler: handler) {
            try await eventually(within: .seconds(20), "both slots taken") { begun.withLock { $0.count == 2 } }
            let outside = try await queue.database.connect()
            try await outside.execute("BEGIN")
            _ = try await outside.query(PostgresQuery(stringLiteral: statement))
            mayEnd.request()
            let others = (1...10).map { "other-\($0)" }
            for user in others { try await queue.insert(user) }
            func completed() async throws -> Int {
                try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'completed'")
            }
            try await eventually(within: .seconds(20), "the end of others' jobs") {
                try await completed() == others.count
            }
            // For longer than the lease that the claim gave.
            try await Task.sleep(for: .seconds(6))
            #expect(try await queue.count("SELECT max(running) FROM sync_workers") <= 2)
            let held = try await queue.count(
                "SELECT count(*) FROM sync_queue WHERE lease IS NOT NULL AND lease_expires_at > now()"
            )
            #expect(held == 2)
            try await outside.execute("ROLLBACK")
            await outside.close()
            try await eventually(within: .seconds(20), "the records of the locked") {
                try await completed() == others.count + 2
            }
            // The slots are as many as before.
            try await queue.insert("later-1")
            try await queue.insert("later-2")
            try await eventually(within: .seconds(10), "later jobs") { try await completed() == others.count + 4 }
        }
        for id in locked {
            let job = try await queue.job(id)
            #expect(job.attempt == 1 && job.crashes == 0 && job.status == .completed, "\(job)")
        }
        #expect(begun.withLock { Set($0).count == $0.count }, "none was run a second time")
    }

    /// What waits is tried again and again, and its leases are renewed: so it is bounded.
    @Test func soManyMayWaitWithoutASlot() async throws {
        let queue = try await QueueFixture()
        for number in 1...70 { try await queue.insert("user-\(number)") }
        let running = RunningJobs(slots: 2)
        let jobs = try await queue.claim(70)
        running.replace([], by: jobs.map { .init(job: $0, lease: LeaseGuard(validUntil: .now + .seconds(60))) })
        for job in jobs { running.resultWaits(job.id, job.lease, since: .now) }
        #expect(!running.freeSlots() && running.takenSlots == 70)
        for job in jobs { running.resultWaits(job.id, job.lease, since: .now - .seconds(10)) }
        #expect(running.freeSlots() && running.takenSlots == 6)
        #expect(!running.freeSlots())
        let gone = running.replace(jobs.map { ($0.id, $0.lease) }, by: [])
        #expect(gone.count == 64 && running.takenSlots == 0 && running.count == 0)
        #expect(running.untilNextFreeSlot == nil)
    }
}
