import CurlHTTP
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import StatusAPI

/// A pause as real workers keep to it, and as page and metrics show it.
@Suite("Pauses", .migrated)
struct PauseTests {
    @Test func workersKeepToAPauseAndGoOnWhenItEnds() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.storeCredentials()
            let pauses = PauseList(pool: fixture.database.pool)
            _ = try await pauses.pause(.user(UserID("anna@example.org")), for: .seconds(5), reason: "Her wish.")
            let first = try await fixture.insertJob()
            _ = try await pauses.pause(.peer("notion_writer"), for: nil, reason: "It moves.")
            // The second worker finds the pauses there.
            for round in 1...2 {
                try await fixture.withWorker(["SYNC_LEASE": "3s", "SYNC_POLL_INTERVAL": "30s"]) { worker in
                    try await Task.sleep(for: .seconds(1))
                    #expect(try await fixture.jobs.job(first)?.status == .queued)
                    guard round == 2 else { return }
                    #expect(try await pauses.resume(.peer("notion_writer")) != nil)
                    // Its time is over by the database's clock, and a round of the rescuer brings the job back.
                    try await fixture.waitForEnd(of: first)
                    #expect(try await pauses.pauses(limit: 10).isEmpty)
                    _ = try await pauses.pause(.all, for: nil, reason: "Again.")
                    let second = try await fixture.insertJob()
                    try await Task.sleep(for: .seconds(1))
                    #expect(try await fixture.jobs.job(second)?.status == .queued)
                    let began = ContinuousClock.now
                    #expect(try await pauses.resume(.all) != nil)
                    // A worker is woken: it does not wait for its next poll.
                    try await fixture.waitForEnd(of: second)
                    #expect(ContinuousClock.now - began < .seconds(15))
                }
            }
        }
    }

    @Test func pageAndMetricsShowWhatIsPaused() async throws {
        try await StatusFixture.with { fixture in
            let pauses = PauseList(pool: fixture.database.pool)
            let id = try await fixture.insertJob(user: "anna@example.org")
            for user in ["b", "c", "d", "e", "e"] { _ = try await fixture.insertJob(user: user) }
            let open = try await fixture.request("/metrics").text
            #expect(open.contains("sync_jobs_due 6\n"), "\(open)")
            #expect(open.contains("sync_pauses{scope=\"user\"} 0\n"))
            #expect(open.contains("sync_useful_workers 2\n") && open.contains("sync_useful_slots 5\n"), "\(open)")
            _ = try await pauses.pause(.user(UserID("anna@example.org")), for: nil, reason: "Her <wish>.")
            #expect(try await fixture.request("/metrics").text.contains("sync_jobs_due 5\n"))
            _ = try await pauses.pause(.peer("notion_writer"), for: .seconds(3600), reason: "It moves.")
            let metrics = try await fixture.request("/metrics").text
            #expect(
                metrics.contains("sync_pauses{scope=\"user\"} 1\n")
                    && metrics.contains("sync_pauses{scope=\"all\"} 0\n")
            )
            #expect(metrics.contains("sync_useful_workers 0\n") && metrics.contains("sync_useful_slots 0\n"))
            #expect(metrics.contains("sync_jobs_due 0\n") && metrics.contains("sync_oldest_due_job_age_seconds 0\n"))
            let page = try await fixture.request("/", headers: ["Accept": "text/html"]).text
            #expect(page.contains("Her &lt;wish&gt;.") && page.contains("all, because of notion_writer"), "\(page)")
            #expect(page.contains("of an…@example.org"))
            #expect(
                page.contains("<dt>Queued</dt><dd>6</dd>") && page.contains("<dt>Due now</dt><dd>0</dd>"),
                "\(page)"
            )
            _ = try await fixture.jobs.enqueue(user: UserID("f"), fullSync: false, isForced: true)
            #expect(try await fixture.request("/metrics").text.contains("sync_jobs_due 1\n"))
            try await fixture.database.pool.execute("DELETE FROM sync_jobs WHERE user_id = 'f'")
            let job = try await fixture.request("/jobs/\(id)", headers: ["Accept": "text/html"]).text
            // Of both pauses the one that nobody knows the end of.
            #expect(job.contains("Waits for") && job.contains("until it is resumed: Her &lt;wish&gt;"), "\(job)")
            // A pause that is over while the job is not back, and a peer that is out of order.
            let pool = fixture.database.pool
            #expect(try await pauses.resume(.peer("notion_writer")) != nil)
            try await pool.execute("UPDATE sync_queue SET is_parked = true WHERE user_id = 'anna@example.org'")
            // Else it would end at once.
            try await pool.execute("ALTER TABLE sync_pauses DISABLE TRIGGER sync_pauses_timed")
            try await pool.execute("UPDATE sync_pauses SET paused_until = clock_timestamp()")
            let alone = try await fixture.request("/jobs/\(id)", headers: ["Accept": "text/html"]).text
            #expect(alone.contains("a worker: none is running"), "\(alone)")
            try await pool.execute(
                "INSERT INTO sync_workers (instance, worker, slots, version) VALUES (gen_random_uuid(), 'w1', 4, '1.0')"
            )
            let ended = try await fixture.request("/jobs/\(id)", headers: ["Accept": "text/html"]).text
            #expect(ended.contains("its turn after a pause by postgres, which ended at "), "\(ended)")
            try await pool.execute("DELETE FROM sync_pauses")
            try await pool.execute("INSERT INTO sync_gates (gate, opened_at) VALUES ('notion_writer', now())")
            try await pool.execute("UPDATE sync_jobs SET run_at = now() + interval '1 minute'")
            try await pool.execute("UPDATE sync_queue SET gate = 'notion_writer'")
            let outage = try await fixture.request("/jobs/\(id)", headers: ["Accept": "text/html"]).text
            #expect(outage.contains("the gate notion_writer, which is out of order; looked at again "), "\(outage)")
        }
    }
}
