import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import SyncControl

@Suite("The list of workers", .migrated)
struct WorkerListTests {
    private struct Answer: Decodable {
        struct Worker: Decodable {
            struct Job: Decodable {
                let jobId: String
                let processedNotes: Int
                let notesPerSecond: Double?
                let stuckSince: String?
                let isLeaseOver: Bool
            }
            let worker: String
            let state: String
            let jobs: [Job]
        }
        let workers: [Worker]
    }

    private func insertWorker(_ name: String, lease: Int, seen: String, _ control: ControlFixture) async throws {
        try await control.execute(
            """
            INSERT INTO sync_workers (instance, worker, slots, running, version, last_seen_at, first_lease, present_until)
            VALUES (gen_random_uuid(), \(name), 4, 1, '1.0', now() - \(seen)::text::interval, \(lease),
                now() - \(seen)::text::interval + interval '15 seconds')
            """
        )
    }

    /// A job as a worker runs it, begun and last heard of so long ago.
    private func insertRun(
        of user: String,
        on worker: String,
        lease: Int,
        began: String,
        progress: String,
        leaseLeft: String,
        _ control: ControlFixture
    ) async throws -> JobID {
        let id = JobID()
        try await control.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, lease, worker, attempt, started_at, total_notes, processed_notes,
                failed_notes)
            VALUES (\(id.rawValue), \(user), 'running', \(lease), \(worker), 1, now() - \(began)::text::interval, 150, 90, 3)
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_queue (job_id, user_id, priority, run_at, lease, lease_expires_at)
            VALUES (\(id.rawValue), \(user), 0, now(), \(lease), now() + \(leaseLeft)::text::interval)
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_logs (job_id, level, message, created_at)
            VALUES (\(id.rawValue), 'INFO', 'm', timezone('utc', now() - \(progress)::text::interval))
            """
        )
        return id
    }

    @Test("Who lives is told from who is silent or dead, with the jobs of each and what became of them")
    func states() async throws {
        let control = try ControlFixture()
        try await insertWorker("lives", lease: 1, seen: "2 seconds", control)
        try await insertWorker("silent", lease: 10, seen: "40 seconds", control)
        try await insertWorker("dead", lease: 20, seen: "10 minutes", control)
        let well = try await insertRun(
            of: "ada",
            on: "lives",
            lease: 2,
            began: "31 seconds",
            progress: "1 second",
            leaseLeft: "50 seconds",
            control
        )
        let stuck = try await insertRun(
            of: "bob",
            on: "lives",
            lease: 3,
            began: "1 hour",
            progress: "20 minutes",
            leaseLeft: "50 seconds",
            control
        )
        let lost = try await insertRun(
            of: "cyd",
            on: "dead",
            lease: 21,
            began: "1 hour",
            progress: "10 minutes",
            leaseLeft: "-9 minutes",
            control
        )
        let answer: Answer = try await control.run("workers", "--json").json()
        #expect(answer.workers.map { "\($0.worker) \($0.state)" } == ["dead dead", "lives alive", "silent silent"])
        let jobs = Dictionary(uniqueKeysWithValues: answer.workers.flatMap(\.jobs).map { ($0.jobId, $0) })
        #expect(answer.workers[1].jobs.count == 2 && answer.workers[0].jobs.map(\.jobId) == ["\(lost)"])
        let goesOn = try #require(jobs["\(well)"])
        #expect(goesOn.stuckSince == nil && !goesOn.isLeaseOver && goesOn.processedNotes == 90)
        // 93 notes in 31 seconds, and the time until it was asked.
        #expect(goesOn.notesPerSecond.map { (2...3.01).contains($0) } == true, "\(goesOn)")
        #expect(jobs["\(stuck)"]?.stuckSince != nil && jobs["\(lost)"]?.isLeaseOver == true)

        let text = try await control.run("workers").output
        #expect(text.contains("  job \(well) of ada: 93/150 notes, 3 failed, "), "\(text)")
        #expect(text.contains("notes/s, last progress ") && text.contains(" left\n"), "\(text)")
        #expect(text.contains("  ! job \(stuck) of bob: ") && text.contains("stuck since "), "\(text)")
        #expect(text.contains("  ! job \(lost) of cyd: ") && text.contains("lease over"), "\(text)")
    }

    @Test("A job of a worker whose row is gone is told of all the same")
    func withoutWorker() async throws {
        let control = try ControlFixture()
        let id = try await insertRun(
            of: "ada",
            on: "gone",
            lease: 2,
            began: "1 hour",
            progress: "1 hour",
            leaseLeft: "-1 hour",
            control
        )
        let run = try await control.run("workers")
        #expect(run.code == 0 && run.errors.contains("! job \(id) of ada"), "\(run)")
        #expect(run.errors.contains("its worker is not known"), "\(run)")
    }
}
