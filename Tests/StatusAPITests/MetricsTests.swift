import CurlHTTP
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import ServiceHealth
@testable import StatusAPI

@Suite("Metrics", .migrated)
struct MetricsTests {
    /// The value of a line of Prometheus' text.
    private func value(_ series: String, in text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix(series + " ") }
            .flatMap { $0.split(separator: " ").last.flatMap { Double($0) } }
    }

    @Test func countsOfAllWorkersAddUpAndSurviveThem() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.storeCredentials()
            for round in 1...2 {
                if round == 2 { try await fixture.editNotes(30) }
                let id = try await fixture.insertJob()
                // A stop writes what was counted.
                try await fixture.withWorker(["SYNC_WORKER_NAME": "w\(round)"]) { worker in
                    try await fixture.waitForEnd(of: id)
                    worker.send(signal: SIGTERM)
                    #expect(try await worker.waitForExit() == .code(0), "\(worker.transcript)")
                }
            }
            let text = try await fixture.request("/metrics").text
            #expect(value(#"sync_notes_total{operation="create",outcome="written"}"#, in: text) == 30, "\(text)")
            #expect(value(#"sync_notes_total{operation="update",outcome="written"}"#, in: text) == 30)
            #expect(value(#"sync_job_run_seconds_count{outcome="completed"}"#, in: text) == 2)
            #expect(value("sync_job_queue_wait_seconds_count", in: text) == 2)
            let created = #"sync_peer_request_seconds_count{code="201",operation="create",service="notion_writer"}"#
            #expect(value(created, in: text) == 30)
            let infinite =
                #"sync_peer_request_seconds_bucket{code="201",operation="create",service="notion_writer",le="+Inf"}"#
            #expect(value(infinite, in: text) == 30)
            #expect((value("sync_last_success_timestamp_seconds", in: text) ?? 0) > 1_700_000_000)
            #expect(!text.contains("anna"))
            #expect(!text.contains("worker=\"w1\""), "a worker that is gone has no state")
        }
    }

    /// Each kind of write is counted, here by who finds what a worker has left behind.
    @Test func writesOfUnknownOutcomeAreCounted() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                    lease, open_until, notion_page_id)
                VALUES ('zoe', 'n1', 'create', gen_random_uuid(), '1:a', now(), gen_random_uuid(), 1, now() - interval '1 hour', NULL),
                    ('zoe', 'n2', 'update', gen_random_uuid(), '1:a', now(), gen_random_uuid(), 1, now() - interval '1 hour', 'p')
                """
            )
            try await fixture.withWorker(["SYNC_WORKER_NAME": "w1"]) { worker in
                // By the second look at the latest, half a lease later: no server that has just started is looked at.
                try await eventually(within: .seconds(60), "both are found") {
                    try await fixture.database.pool.query("SELECT 1 FROM sync_intents WHERE unknown_at IS NULL").isEmpty
                }
                worker.send(signal: SIGTERM)
                #expect(try await worker.waitForExit() == .code(0), "\(worker.transcript)")
            }
            let text = try await fixture.request("/metrics").text
            #expect(value("sync_unknown_creates_total", in: text) == 1, "\(text)")
            #expect(value("sync_unknown_updates_total", in: text) == 1)
        }
    }

    @Test func whatTheTablesSay() async throws {
        try await StatusFixture.with { fixture in
            let first = try await fixture.insertJob()
            _ = try await fixture.insertJob(user: "berta@example.org")
            try await fixture.database.pool.execute(
                "UPDATE sync_jobs SET run_at = now() - interval '1 minute' WHERE job_id = \(first.rawValue)"
            )
            let answer = try await fixture.request("/metrics")
            #expect(answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
            #expect(value(#"sync_jobs{state="queued"}"#, in: answer.text) == 2)
            #expect(value("sync_jobs_due", in: answer.text) == 2)
            let age = try #require(value("sync_oldest_due_job_age_seconds", in: answer.text))
            #expect((60...120).contains(age))
            #expect(value("sync_workers", in: answer.text) == 0)
            let usage = try #require(value("sync_notification_queue_usage", in: answer.text))
            #expect((0..<0.1).contains(usage))
            #expect(value("sync_intents_unknown", in: answer.text) == 0)
            // What is listed is counted, though nobody has found it yet.
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                    lease, open_until)
                VALUES ('anna', 'n1', 'create', gen_random_uuid(), '1:a', now(), gen_random_uuid(), 1, now() + interval '1 hour')
                """
            )
            #expect(value("sync_intents_unknown", in: try await fixture.request("/metrics").text) == 1)
            // Nothing has happened yet, and that is said.
            for series in [
                "sync_job_leases_lost_total", "sync_job_rescues_total", "sync_job_crashes_total",
                "sync_unknown_creates_total", "sync_unknown_updates_total",
                #"sync_note_retries_total{reason="throttled"}"#,
                #"sync_notes_total{operation="create",outcome="written"}"#,
                #"sync_job_run_seconds_count{outcome="failed"}"#, "sync_job_queue_wait_seconds_count",
            ] {
                #expect(value(series, in: answer.text) == 0, "\(series)")
            }
            #expect(answer.text.contains("sync_build_info{version="))
        }
    }

    /// It may have died with all its slots taken.
    @Test func aWorkerThatHasMissedItsHeartbeatHasNoSlots() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_workers (instance, worker, slots, running, version, last_seen_at, present_until)
                VALUES (gen_random_uuid(), 'w1', 4, 3, '1', now() - interval '40 s', now() - interval '10 s'),
                    (gen_random_uuid(), 'w2', 5, 2, '1', now(), now() + interval '30 s')
                """
            )
            let text = try await fixture.request("/metrics").text
            #expect(value("sync_worker_slots_used", in: text) == 2 && value("sync_worker_slots", in: text) == 5)
            let page = try await fixture.request("/", headers: ["Accept": "text/html"]).text
            #expect(
                page.contains("0 of 4 used") && page.contains("2 of 5 used") && page.contains("silent, last seen 4")
            )
        }
    }

    /// The only worker does not reach the extractor, and claims nothing.
    @Test func aWorkerTellsThatItsClaimsAreHeld() async throws {
        try await StatusFixture.with { fixture in
            let changes = [
                "SYNC_WORKER_NAME": "w1", "KEEP_EXTRACTOR_URL": "http://127.0.0.1:1", "SYNC_BREAKER_FAILURES": "3",
            ]
            try await fixture.storeCredentials()
            try await fixture.withWorker(changes) { _ in
                func held() async throws -> Double? {
                    value(#"sync_worker_claims_held{worker="w1"}"#, in: try await fixture.request("/metrics").text)
                }
                try await eventually(within: .seconds(30), "the gauge") { try await held() == 0 }
                _ = try await fixture.insertJob()
                try await eventually(within: .seconds(30), "word of the hold") { try await held() == 1 }
            }
        }
    }

    @Test func openAlertsByKind() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_alerts (key, kind, count, first_at, last_at, resolved_at)
                VALUES ('peer_down:a', 'peer_down', 1, now(), now(), NULL), ('peer_down:b', 'peer_down', 1, now(), now(), NULL),
                    ('user_not_synced', 'user_not_synced', 3, now(), now(), now())
                """
            )
            let text = try await fixture.request("/metrics").text
            #expect(value(#"sync_alerts_open{kind="peer_down"}"#, in: text) == 2)
            #expect(value(#"sync_alerts_open{kind="user_not_synced"}"#, in: text) == 0)
            #expect(value(#"sync_alerts_open{kind="job_failed"}"#, in: text) == 0)
        }
    }

    @Test func openMetricsByAccept() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.database.pool.execute(
                "INSERT INTO sync_metrics (name, labels, part, value) VALUES ('sync_job_crashes_total', '', 'counter', 3)"
            )
            let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
            let answer = try await fixture.request("/metrics", headers: ["Accept": accept])
            #expect(answer.header("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            #expect(answer.text.hasSuffix("# EOF\n"))
            #expect(answer.text.contains("# TYPE sync_job_crashes counter\nsync_job_crashes_total 3\n"))
        }
    }

    /// A million finished jobs cost a scrape nothing: its statements read the few rows that are open, by index.
    @Test(.timeLimit(.minutes(5)))
    func aMillionFinishedJobsAreNotCounted() async throws {
        try await StatusFixture.with { fixture in
            let pool = fixture.database.pool
            // History that the triggers have seen before.
            try await pool.withConnection { connection in
                try await connection.runScript(
                    """
                    ALTER TABLE sync_jobs DISABLE TRIGGER USER;
                    INSERT INTO sync_jobs (job_id, user_id, status, completed_at)
                    SELECT gen_random_uuid(), 'u' || n, 'completed', timezone('utc', now()) - interval '2 hours'
                    FROM generate_series(1, 1000000) AS n;
                    ALTER TABLE sync_jobs ENABLE TRIGGER USER;
                    """,
                    timeout: .none
                )
            }
            #expect(try await fixture.request("/metrics").status == 200)
            // Without statistics, and with them.
            for _ in 1...2 {
                let blocks = try await blocksRead(by: .queueDepth(), pool)
                #expect(blocks < 50, "blocks of 8 KiB read; the table has more than 10,000")
                try await pool.execute("ANALYZE sync_jobs", timeout: .none)
            }
        }
    }

    private func blocksRead(by query: PostgresQuery, _ pool: PostgresPool) async throws -> Int {
        struct Explained: Decodable {
            let plan: [String: JSONNumber]
            enum CodingKeys: String, CodingKey { case plan = "Plan" }
        }
        let explain = PostgresQuery.byIndex(
            PostgresQuery(stringLiteral: "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query.sql)
        )
        let json = try await pool.query(explain)[0]
            .decode(at: 0, as: PostgresJSONB.self)
        let plan = try #require(try json.decode([Explained].self).first?.plan)
        return try [plan["Shared Hit Blocks"], plan["Shared Read Blocks"]].map { try #require($0?.value) }.reduce(0, +)
    }

    /// A number among other things.
    private struct JSONNumber: Decodable {
        let value: Int?
        init(from decoder: any Decoder) throws {
            // Whatever is no number is not asked for.
            value = try? decoder.singleValueContainer().decode(Int.self)
        }
    }
}
