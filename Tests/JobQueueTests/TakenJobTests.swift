import Postgres
import Support
import TestSupport
import Testing

@testable import JobQueue

/// Jobs that were taken from their worker while their handlers still hear out what they have sent.
@Suite struct TakenJobTests {
    private final class Handlers: Sendable {
        private let state = Mutex((started: 0, areReleased: false))

        var started: Int { state.withLock { $0.started } }
        func release() { state.withLock { $0.areReleased = true } }

        /// Whatever becomes of its task.
        func run() async {
            state.withLock { $0.started += 1 }
            let hearing = Task { try await eventually("the release") { state.withLock { $0.areReleased } } }
            _ = await hearing.result
        }
    }

    /// Two of the user's are waited for. Neither was cancelled.
    @Test func theNextJobOfTheUserSaysWhatItWaitsFor() async throws {
        let queue = try await QueueFixture()
        let handlers = Handlers()
        let handler: JobHandler = { _ in
            await handlers.run()
            return .completed
        }
        try await queue.withWorker(poll: .milliseconds(200), handler: handler) {
            let id = try await queue.insert("ada")
            for count in 1...2 {
                try await eventually("run \(count)") { handlers.started == count }
                // The slot is given up a second after.
                try await queue.pool.execute(
                    """
                    UPDATE sync_jobs SET status = 'queued', run_at = clock_timestamp() + interval '2 seconds'
                    WHERE job_id = \(id.rawValue)
                    """
                )
            }
            try await eventually("a word") { try await queue.job(id).lastError != nil }
            let job = try await queue.job(id)
            #expect(
                job.lastError
                    == "Earlier jobs of the user are no longer this worker's, and the answers to what they have sent are still waited for."
            )
            #expect(job.status == .queued && handlers.started == 2)
            #expect(job.attempt == 0, "none of them failed")
            handlers.release()
        }
    }
}
