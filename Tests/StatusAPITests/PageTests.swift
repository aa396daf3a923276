import CurlHTTP
import Foundation
import JobQueue
import Postgres
import Support
import TestSupport
import Testing

@testable import StatusAPI

@Suite("Pages without scripts", .migrated)
struct PageTests {
    @Test func whatIsKeptBackIsInThePageAndTheMetrics() async throws {
        try await StatusFixture.with { fixture in
            let open = try await fixture.request("/", headers: ["Accept": "text/html"]).text
            #expect(!open.contains("Kept back"))
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_gates (gate, opened_at, opened_reason, closed_at, closed_until, reason, closed_by)
                VALUES ('keep_extractor', now(), 'It <hangs>.', NULL, NULL, NULL, NULL),
                    ('notion_writer/token/ab12', NULL, NULL, now(), now() + interval '1 hour', 'Notion limits the rate.', 'carl'),
                    ('notion_writer/token/cd34', NULL, NULL, now() - interval '2 s', now() - interval '1 s', 'It is over.', 'w')
                """
            )
            let page = try await fixture.request("/", headers: ["Accept": "text/html"]).text
            #expect(page.contains("Keep Extractor</td>") && page.contains("out of order, until a probe succeeds"))
            #expect(page.contains("It &lt;hangs&gt;."))
            #expect(page.contains("kept back, for 60 min more") && page.contains("data-label=\"By\">carl</td>"))
            #expect(page.contains("Notion Writer, one token</td>") && page.contains("Notion limits the rate."))
            #expect(!page.contains("It is over.") && !page.contains("ab12"))
            let metrics = try await fixture.request("/metrics").text
            #expect(metrics.contains(#"sync_gates_closed{peer="notion_writer",scope="token"} 1"#), "\(metrics)")
            #expect(metrics.contains(#"sync_breaker_open{peer="keep_extractor"} 1"#))
            #expect(metrics.contains(#"sync_breaker_open{peer="notion_writer"} 0"#))
        }
    }

    @Test func theFactsAreInThePage() async throws {
        try await StatusFixture.with { fixture in
            let failed = try await fixture.insertJob(user: "anna<b>@example.org")
            try await fixture.database.pool.execute(
                """
                UPDATE sync_jobs SET status = 'failed', error_message = 'Notion <said> "no".' WHERE job_id = \(failed.rawValue)
                """
            )
            try await fixture.database.pool.execute(
                "INSERT INTO sync_throughput (minute, worker, failed) VALUES (date_trunc('minute', now()), 'w1', 1)"
            )
            let running = try await fixture.insertJob()
            try await fixture.database.pool.execute(
                """
                UPDATE sync_jobs SET status = 'running', total_notes = 10, processed_notes = 4, failed_notes = 1,
                    worker = 'w1', started_at = now(), attempt = 1
                WHERE job_id = \(running.rawValue)
                """
            )
            let page = try await fixture.request("/", headers: ["Accept": "text/html"]).text
            #expect(page.contains("Notion &lt;said&gt; &quot;no&quot;."))
            #expect(page.contains("<progress max=\"10\" value=\"5\""))
            #expect(page.contains("No worker is running"))
            #expect(!page.contains("anna@") && page.contains("an…@example.org"))
            #expect(page.contains("Jobs failed: <strong>1</strong>"))
        }
    }

    @Test(arguments: ["anna@example.org", "o'neil, x@example.org", "ann", "a\u{202E}nna@example.org", "-x@example.org"])
    func theUserIsMaskedInTheReasonToo(user: String) async throws {
        try await StatusFixture.with { fixture in
            let failed = try await fixture.insertJob(user: user)
            let encoded = user.replacing("@", with: "%40").replacing("'", with: "%27").replacing(", ", with: "%2C%20")
                .replacing("\u{202E}", with: "%E2%80%AE")
            let reason =
                "No credentials for user \(user). Announced: "
                + UserID(user).shellCommand("syncctl credentials set") + " or "
                + UserID(user).shellCommand("syncctl credentials set", "--database-id 1c8e4d2b0a9f")
                + " GET /x?username=\(encoded)&y"
            try await fixture.database.pool.execute(
                "UPDATE sync_jobs SET status = 'failed', error_message = \(reason) WHERE job_id = \(failed.rawValue)"
            )
            let page = try await fixture.request("/", headers: ["Accept": "text/html"]).text
            let mask = JobText.masked(UserID(user)).replacing("'", with: "&#39;").withVisibleControls
            // A command about a masked user would be about nobody.
            let option = "--database-id 1c8e4d2b0a9f"
            let commands =
                user.hasPrefix("-")
                ? "syncctl credentials set -- USER or syncctl credentials set \(option) -- USER"
                : "syncctl credentials set USER or syncctl credentials set USER \(option)"
            #expect(
                page.contains(
                    "for user \(mask). Announced: \(commands) GET /x?username=\(mask)&amp;y"
                ),
                "\(page)"
            )
        }
    }

    /// An id or an error from outside must not pass for another one.
    @Test func controlsThatTurnATextAroundAreMadeVisible() async throws {
        try await StatusFixture.with { fixture in
            let failed = try await fixture.insertJob(user: "an\u{202E}na@exa\u{2067}mple.org")
            try await fixture.database.pool.execute(
                "UPDATE sync_jobs SET status = 'failed', error_message = \("no\u{61C}t") WHERE job_id = \(failed.rawValue)"
            )
            for path in ["/", "/jobs/\(failed)", "/internal/sync/jobs", "/internal/sync/status/\(failed)"] {
                let text = try await fixture.request(path, headers: ["Accept": "text/html"]).text
                #expect(!text.unicodeScalars.contains { $0.properties.isBidiControl }, "\(path)")
            }
            #expect(try await fixture.request("/jobs/\(failed)").text.contains(#"an\u{202e}na@exa\u{2067}mple.org"#))
            let list = try await fixture.request("/internal/sync/jobs").json["jobs"] as? [[String: Any]]
            #expect(
                list?.first?["user_id"] as? String == "an\u{202E}na@exa\u{2067}mple.org",
                "programs read it as it is"
            )
        }
    }

    @Test func aJobThatWasSetToRunningFromOutsideIsNoWorkers() async throws {
        try await StatusFixture.with { fixture in
            let id = try await fixture.insertJob()
            try await fixture.database.pool.execute(
                "UPDATE sync_jobs SET status = 'running' WHERE job_id = \(id.rawValue)"
            )
            for path in ["/", "/jobs/\(id)"] {
                let page = try await fixture.request(path, headers: ["Accept": "text/html"]).text
                #expect(page.contains("none: set to running from outside"), "\(path)")
                #expect(!page.contains("no notes fetched"), "\(path)")
            }
            let page = try await fixture.request("/", headers: ["Accept": "text/html"]).text
            #expect(page.contains("<dt>Running in workers</dt><dd id=\"running-count\">0</dd>"))
        }
    }

    /// The status of such a job says that all is well.
    @Test func aCompletedJobOfWhichMostNotesFailedIsAmongTheFailures() async throws {
        try await StatusFixture.with { fixture in
            for (failed, processed) in [(400, 0), (6, 4), (5, 5), (0, 0)] {
                let id = try await fixture.insertJob()
                try await fixture.database.pool.execute(
                    """
                    UPDATE sync_jobs SET status = 'completed', total_notes = \(failed + processed),
                        processed_notes = \(processed), failed_notes = \(failed)
                    WHERE job_id = \(id.rawValue)
                    """
                )
            }
            let page = try await fixture.request("/", headers: ["Accept": "text/html"]).text
            #expect(page.contains("Completed, but 400 of 400 notes failed."))
            #expect(page.contains("Completed, but 6 of 10 notes failed."))
            #expect(page.split(separator: "Completed, but").count == 3)
        }
    }

    @Test func aJobsPage() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.storeCredentials()
            let id = try await fixture.insertJob()
            try await fixture.withWorker { _ in try await fixture.waitForEnd(of: id) }
            let page = try await fixture.request("/jobs/\(id)").text
            #expect(page.contains("anna@example.org"))
            #expect(page.contains("Created page "))
            #expect(page.contains("30 of 30 notes"))
            #expect(try await fixture.request("/jobs/\(JobID())").status == 404)
            #expect(try await fixture.request("/jobs/x").status == 400)
        }
    }

    /// The replaced service wrote titles into its log.
    @Test func linesOfTheReplacedServiceAreHidden() async throws {
        try await StatusFixture.with { fixture in
            let id = try await fixture.insertJob()
            try await fixture.database.pool.execute(
                "UPDATE sync_jobs SET status = 'completed' WHERE job_id = \(id.rawValue)"
            )
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_logs (job_id, keep_note_id, level, message)
                VALUES (\(id.rawValue), 'n1', 'INFO', 'Synced note: My diary')
                """
            )
            let page = try await fixture.request("/jobs/\(id)").text
            #expect(!page.contains("diary"))
        }
    }

    @Test func aJobThatNobodyTakesAndAPastErrorAreTold() async throws {
        try await StatusFixture.with { fixture in
            let pool = fixture.database.pool
            let id = try await fixture.insertJob()
            func page(_ path: String) async throws -> String {
                try await fixture.request(path, headers: ["Accept": "text/html"]).text
            }
            try await pool.execute(
                """
                INSERT INTO sync_workers (instance, worker, slots, version, claims_held_since)
                VALUES (gen_random_uuid(), 'w1', 4, '1.0', '2026-01-02 03:04:05Z')
                """
            )
            try await pool.execute(
                "UPDATE sync_jobs SET last_error = 'It is ill.', last_error_at = '2026-01-02 03:04:06Z'"
            )
            let job = try await page("/jobs/\(id)")
            #expect(job.contains("all hold their claims, the first since 2026-01-02 03:04:05 UTC"), "\(job)")
            #expect(job.contains("at 2026-01-02 03:04:06 UTC: It is ill."), "\(job)")
            #expect(try await page("/").contains("claims held since 2026-01-02 03:04:05"))
            let list = try await fixture.request("/internal/sync/jobs").text
            #expect(list.contains(#""last_error_at":"2026-01-02T03:04:06""#), "\(list)")
            try await pool.execute("UPDATE sync_jobs SET status = 'running'")
            try await pool.execute("UPDATE sync_jobs SET worker = 'w1'")
            try await pool.execute("INSERT INTO sync_gates (gate, opened_at) VALUES ('notion_writer', now())")
            let running = try await page("/jobs/\(id)")
            #expect(running.contains("the gate notion_writer, which is out of order"), "\(running)")
            #expect(running.contains("no notes fetched yet"), "\(running)")
        }
    }
}
