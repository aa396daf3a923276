import CurlHTTP
import JobQueue
import Postgres
import TestSupport
import Testing

/// Rows whose size and number somebody else has chosen: every route answers, in so much memory and no more.
@Suite("Hostile rows", .migrated, .timeLimit(.minutes(3)))
struct HostileRowTests {
    private static let most = 150

    /// As rows are that came in before there were bounds, or by a restore without triggers.
    private func write(_ fixture: StatusFixture, _ sql: String) async throws {
        let connection = try await fixture.database.connect()
        try await connection.runScript("SET session_replication_role = replica; \(sql)")
        await connection.close()
    }

    @Test func textsOfManyMegabytesAreReadInPart() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.storeCredentials()
            try await fixture.withWorker { worker in
                let failed = try await fixture.insertJob(user: "nobody")
                try await fixture.waitForEnd(of: failed)
                try await write(
                    fixture,
                    """
                    UPDATE sync_jobs SET error_message = repeat('<&é', 13000000), last_error = repeat('x', 40000000),
                        worker = repeat('w', 40000000);
                    INSERT INTO sync_logs (job_id, level, message)
                    SELECT '\(failed)', 'ERROR', repeat('&', 1000000) FROM generate_series(1, 30);
                    INSERT INTO sync_jobs (job_id, user_id, status, run_at, traceparent)
                    VALUES (gen_random_uuid(), 'anna@example.org', 'paused?', now(), repeat('t', 200000000))
                    """
                )
                // What is queued by an UPDATE keeps what it has.
                try await fixture.database.pool.execute(
                    "UPDATE sync_jobs SET status = 'queued' WHERE status = 'paused?'"
                )
                let job = try #require(try await fixture.jobs.jobs(user: UserID("anna@example.org"), limit: 1).first)
                try await fixture.waitForEnd(of: job.id)
                #expect(try await fixture.jobs.job(job.id)?.status == .completed)
                for path in [
                    "/", "/jobs/\(failed)", "/internal/sync/jobs", "/internal/sync/status/\(failed)", "/metrics",
                ] {
                    let answer = try await fixture.request(path, headers: ["Accept": "text/html"])
                    #expect(answer.status == 200, "\(path)")
                    #expect(answer.text.utf8.count < 1 << 20, "\(path): \(answer.text.utf8.count) bytes")
                }
                #expect(try worker.peakMemory < Self.most, "MiB of the worker")
                #expect(try fixture.server.peakMemory < Self.most, "MiB of the sidecar")
                print("peak memory: worker \(try worker.peakMemory) MiB, sidecar \(try fixture.server.peakMemory) MiB")
            }
        }
    }

    @Test func aFloodOfJobsIsNotCounted() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, priority)
                SELECT gen_random_uuid(), 'user-' || n, 'queued', -100 FROM generate_series(1, 200000) AS n
                """,
                timeout: .none
            )
            let page = try await fixture.request("/", headers: ["Accept": "text/html"])
            #expect(
                page.status == 200 && page.text.contains("<dt>Queued</dt><dd>more than 10,000</dd>"),
                "\(page.text)"
            )
            let metrics = try await fixture.request("/metrics")
            #expect(
                metrics.status == 200 && metrics.text.contains("sync_jobs{state=\"queued\"} 10001\n"),
                "\(metrics.text)"
            )
            #expect(metrics.text.contains("sync_jobs_due 10001\n"))
            #expect(try await fixture.request("/internal/sync/jobs").status == 200)
            #expect(try await fixture.request("/health").status == 200)
        }
    }

    @Test func aSlowDatabaseIsToldFromOneThatIsAway() async throws {
        try await StatusFixture.with { fixture in
            let id = try await fixture.insertJob()
            let holder = try await fixture.database.connect()
            try await holder.runScript("BEGIN; LOCK TABLE sync_jobs IN ACCESS EXCLUSIVE MODE")
            let page = try await fixture.request("/", headers: ["Accept": "text/html"])
            #expect(page.status == 503 && page.text.contains("The database answers slowly"), "\(page.text)")
            let status = try await fixture.request("/internal/sync/status/\(id)")
            #expect(status.status == 503 && status.text.contains("answers slowly"), "\(status.text)")
            try await holder.runScript("ROLLBACK")
            await holder.close()
            #expect(try await fixture.request("/internal/sync/status/\(id)").status == 200)
        }
    }
}
