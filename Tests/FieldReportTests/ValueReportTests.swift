import Foundation
import Postgres
import TestSupport
import Testing

@testable import JobQueue

/// Reports of values that a queue did not get into its tables, or out of them.
@Suite(.timeLimit(.minutes(2)))
struct ValueReportTests {
    /// Runs a job that ends like that, and another after it.
    private func run(_ queue: FieldQueue, _ outcome: JobOutcome) async throws -> JobRecord {
        let ids = [try await queue.insert("ada"), try await queue.insert("bob")]
        try await queue.pool.execute("UPDATE sync_jobs SET max_attempts = 1")
        try await queue.withWorker(queue.configuration("w")) { context in
            context.job.userID.rawValue == "ada" ? outcome : .completed
        } while: {
            try await queue.wait(for: ids[0], .failed)
            try await queue.wait(for: ids[1], .completed)
        }
        return try #require(try await queue.client.job(ids[0]))
    }

    /// kestra #10326: what stands for a lone surrogate in a Swift string, too.
    @Test(arguments: ["a\u{0}b", "\u{0}", "x\u{FFFD}\u{FFFF}\u{10FFFF}"])
    func anErrorThatATextCannotHoldEndsItsJob(_ error: String) async throws {
        let queue = try await FieldQueue()
        let job = try await run(queue, .failed(error: error))
        #expect(job.errorMessage?.isEmpty == false)
        #expect(job.crashes == 0 && job.attempt == 1)
        let retried = try await run(try await FieldQueue(), .retry(error: error))
        #expect(retried.errorMessage?.isEmpty == false)
    }

    /// good_job #1769
    @Test func anErrorOfAMegabyteEndsItsJob() async throws {
        let queue = try await FieldQueue()
        let job = try await run(queue, .retry(error: String(repeating: "é", count: 500_000)))
        #expect(job.errorMessage?.hasPrefix("éé") == true)
        #expect(try await queue.client.jobs(limit: 10).count == 2)
        #expect(try await queue.client.logs(of: job.id).last?.level == "ERROR")
        #expect(try await queue.count("SELECT max(length(error)) FROM sync_alert_events") <= 2000)
    }

    /// graphile/worker 0.17.3
    @Test func identifiersPastThirtyTwoBitsWork() async throws {
        let queue = try await FieldQueue()
        for sequence in ["sync_logs_id_seq", "sync_state_id_seq", "sync_lease_seq"] {
            try await queue.pool.execute("SELECT setval(\(sequence)::text::regclass, 9000000000)")
        }
        let job = try await run(queue, .failed(error: "x"))
        let lines = try await queue.client.logs(of: job.id)
        #expect(lines.count == 1)
        #expect(try await queue.count("SELECT min(id) FROM sync_logs") > 9_000_000_000)
        // Leases too, of a job that runs.
        try await queue.insert("cyd")
        let claimed = try #require(try await queue.claim(1).first)
        #expect(claimed.lease.rawValue > 9_000_000_000)
        #expect(try await queue.finish(claimed) == "completed")
    }
}
