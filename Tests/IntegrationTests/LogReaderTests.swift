import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// A reader of the log that stops, so that the worker's standard output is a pipe that is full.
    @Suite struct LogReaderTests {
        private static let jobs = 3000

        @Test func jobsGoOnAndTheReaderLearnsWhatItMissed() async throws {
            try await Installation.with(notes: 1) { installation in
                let worker = try installation.launchWorker("worker", readsOutput: false)
                try await failJobs(installation)
                try await installation.addUser("ada")
                #expect(try await installation.waitForJob(try await installation.insertJob("ada")).status == .completed)
                #expect(try await installation.count("SELECT count(*) FROM sync_jobs WHERE crashes > 0") == 0)
                worker.readOutput()
                let line = try await worker.waitForLine(containing: "Log lines were dropped")
                #expect(line.contains("lines=") || line.contains(#""lines""#), "\(line)")
                try await worker.stop(within: .seconds(10))
                #expect(worker.standardOutput.last?.contains("Stopped.") == true)
            }
        }

        @Test func aSignalEndsTheWorkerAllTheSame() async throws {
            try await Installation.with(notes: 1) { installation in
                let worker = try installation.launchWorker("worker", readsOutput: false)
                try await failJobs(installation)
                worker.send(signal: SIGTERM)
                try await eventually(within: .seconds(10), "the end of the worker") { worker.hasEnded }
                #expect(try await installation.count("SELECT count(*) FROM sync_workers") == 0, "it said goodbye")
                worker.readOutput()
                #expect(try await worker.waitForExit() == .code(0))
            }
        }

        /// Runs jobs that fail at once, as nobody has stored credentials, and whose log lines are long: more of them
        /// than the pipe and the worker's queue hold.
        private func failJobs(_ installation: Installation) async throws {
            try await installation.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status)
                SELECT gen_random_uuid(), n || repeat('u', 240), 'queued' FROM generate_series(1, \(Self.jobs)) n
                """
            )
            try await installation.waitForAllJobs(within: .seconds(120))
        }
    }
}
