import CurlHTTP
import Foundation
import Postgres
import SyncSchema
import TestSupport
import Testing

/// What is said where no worker is there.
@Suite(.migrated)
struct NoWorkerTests {
    /// What is known of the last one is told: that it was stopped, or that nothing is heard of it.
    @Test func thatNoWorkerIsThereIsSaidAsItIs() async throws {
        try await StatusFixture.with { fixture in
            func readiness() async throws -> String { try await fixture.request("/readyz?verbose").text }
            func page() async throws -> String {
                try await fixture.request("/", headers: ["Accept": "text/html"]).text
            }
            #expect(try await readiness().contains("worker failed: No worker is running. Start one"))
            #expect(try await page().contains("No worker is running"))
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_stopped_workers (instance, worker, stopped_at) VALUES
                    (gen_random_uuid(), 'older', '2026-01-02 03:04:04Z'), (gen_random_uuid(), 'w1', '2026-01-02 03:04:05Z')
                """
            )
            let stopped = "No worker is running. The last, w1, stopped at "
            #expect(try await readiness().contains("worker failed: \(stopped)"))
            #expect(try await page().contains(stopped))
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_workers (instance, worker, slots, version, last_seen_at)
                VALUES (gen_random_uuid(), 'dead', 1, '1', '2026-01-02 04:05:06Z')
                """
            )
            #expect(
                try await readiness().contains("worker failed: No worker is running. The last, dead, was heard of at ")
            )
        }
    }
}
