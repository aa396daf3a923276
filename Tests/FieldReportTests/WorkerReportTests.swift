import Foundation
import Postgres
import Support
import TestSupport
import Testing

@testable import JobQueue

/// Reports of workers that were taken for dead, or for others.
@Suite(.timeLimit(.minutes(2)))
struct WorkerReportTests {
    /// river #1302
    @Test func aRescuerWithAnOldSnapshotTakesNothingFromALiveWorker() async throws {
        let queue = try await FieldQueue()
        try await queue.insert("ada")
        let job = try #require(try await queue.claim(1).first)
        try await queue.expireLeases()
        let rescuer = try await queue.database.connect()
        try await rescuer.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        #expect(try await rescuer.query("SELECT FROM sync_queue").count == 1)
        // After that snapshot.
        let presence = WorkerPresence(instance: WorkerInstance(), name: "live", slots: 1, version: "1")
        try await queue.pool.execute(
            .heartbeat(
                worker: presence,
                jobs: [(job.id, job.userID, job.lease)],
                ended: EndedJobs(),
                lease: .seconds(60)
            )
        )
        await #expect { _ = try await rescuer.query(.rescue(limit: 100)) } throws: {
            ($0 as? PostgresError)?.sqlState == .serializationFailure
        }
        try await rescuer.execute("ROLLBACK")
        await rescuer.close()
        #expect(try await queue.finish(job) == "completed")
        #expect(try await queue.client.job(job.id)?.crashes == 0)
    }

    /// river #1318
    @Test func jobsThatCantBeRescuedHideNoOthers() async throws {
        let queue = try await FieldQueue()
        try await queue.insert(users: 150)
        #expect(try await queue.claim(150).count == 150)
        try await queue.expireLeases()
        let holder = try await queue.database.connect()
        try await holder.execute("BEGIN")
        try await holder.execute(
            "SELECT FROM sync_jobs WHERE job_id IN (SELECT job_id FROM sync_queue ORDER BY ctid LIMIT 120) FOR UPDATE"
        )
        #expect(try await queue.pool.query(.rescue(limit: 100)).count == 30)
        try await holder.execute("ROLLBACK")
        await holder.close()
    }

    /// solid_queue #589
    @Test func aLiveWorkerWhoseRowIsOldKeepsItsJobs() async throws {
        let queue = try await FieldQueue()
        let gate = StopSignal()
        try await queue.withWorker(queue.configuration("live", lease: .seconds(3))) { _ in
            await gate.untilRequested()
            return .completed
        } while: {
            let id = try await queue.insert("ada")
            try await queue.wait(for: id, .running)
            try await queue.pool.execute("UPDATE sync_workers SET last_seen_at = now() - interval '1 day'")
            try await queue.pool.execute(.pruneWorkers())
            #expect(try await queue.pool.query(.rescue(limit: 100)).isEmpty)
            try await eventually("the worker's row to come back") {
                try await queue.count("SELECT count(*) FROM sync_workers") == 1
            }
            gate.request()
            try await queue.wait(for: id, .completed)
            #expect(try await queue.client.job(id)?.crashes == 0)
        }
    }

    /// oban #862, procrastinate #1518
    @Test func aWorkerRestartedUnderTheNameOfADeadOneIsAnother() async throws {
        let queue = try await FieldQueue()
        let id = try await queue.insert("ada")
        let dead = try #require(try await queue.claim(1, as: "same").first)
        try await queue.expireLeases()
        let gate = StopSignal()
        try await queue.withWorker(queue.configuration("same", lease: .seconds(3), poll: .milliseconds(200))) { _ in
            await gate.untilRequested()
            return .completed
        } while: {
            try await eventually(within: .seconds(20), "the second run") {
                try await queue.count("SELECT count(*) FROM sync_jobs WHERE lease > \(dead.lease.rawValue)") == 1
            }
            // It lives after all, and ends what is no longer its.
            #expect(try await queue.finish(dead) == nil)
            #expect(try await queue.client.job(id)?.status == .running)
            gate.request()
            try await queue.wait(for: id, .completed)
            #expect(try await queue.client.job(id)?.crashes == 1)
        }
    }

    /// river #678
    @Test func aCancelIsFoundOfWhichNothingIsHeard() async throws {
        let queue = try await FieldQueue()
        let ended = StopSignal()
        let configuration = queue.configuration("polling", poll: .milliseconds(200))
        try await queue.withWorker(configuration) { _ in
            // Ends when it is cancelled.
            await StopSignal().untilRequested()
            ended.request()
            return .released(.stopping)
        } while: {
            let id = try await queue.insert("ada")
            try await queue.wait(for: id, .running)
            // As `cancel` does, but that nobody is notified.
            try await queue.database.pool.withConnection { connection in
                try await connection.runScript(
                    """
                    BEGIN;
                    ALTER TABLE sync_jobs DISABLE TRIGGER sync_jobs_changed;
                    UPDATE sync_jobs SET status = 'cancelled', lease = NULL, worker = NULL;
                    DELETE FROM sync_queue;
                    ALTER TABLE sync_jobs ENABLE TRIGGER sync_jobs_changed;
                    COMMIT
                    """
                )
            }
            try await eventually("the end of the run") { ended.isRequested }
            #expect(try await queue.client.job(id)?.status == .cancelled)
        }
    }
}
