import CurlHTTP
import Foundation
import Postgres
import SyncSchema
import TestSupport
import Testing

/// Rows as they were before there were bounds, or came in while triggers were off: every route answers, and shows them
/// as what they are.
@Suite("Extreme values in the tables", .migrated)
struct ExtremeValueTests {
    private static let times = [
        "-infinity", "4714-11-24 00:00:00+00 BC",
        "0001-01-01 00:00:00+00", "1700-01-01 00:00:00.000001+00", "1969-12-31 23:59:59.999999+00",
        "2020-01-01 00:00:00+00", "4001-01-02 00:00:00+00", "12026-01-01 00:00:00+00",
        "294276-12-31 23:59:59.999999+00", "infinity",
    ]
    private static let counts: [Int32] = [.min, -1, 0, 1, .max]
    private static let statuses = ["queued", "running", "completed", "failed", "cancelled", "paused?"]

    /// A job for each time and status, with counts at their ends.
    private func insert(_ fixture: StatusFixture) async throws -> Int {
        try await fixture.database.pool.execute("ALTER TABLE sync_jobs DISABLE TRIGGER sync_jobs_inserting")
        for time in Self.times {
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, created_at, run_at, started_at, completed_at, total_notes,
                    processed_notes, failed_notes, attempt, max_attempts, crashes, priority)
                SELECT gen_random_uuid(), 'ada', s.status, \(time)::text::timestamp, \(time)::text::timestamptz,
                    \(time)::text::timestamptz, \(time)::text::timestamp, total, done, failed, done, failed, total, -32768
                FROM unnest(\(Self.statuses)) AS s (status)
                CROSS JOIN unnest(\(Self.counts)) AS total
                CROSS JOIN unnest(\([Int32.min, .max])) AS done
                CROSS JOIN unnest(\([Int32.min, .max])) AS failed
                """
            )
        }
        try await fixture.database.pool.execute(
            """
            INSERT INTO sync_workers (instance, worker, started_at, last_seen_at, slots, running, version)
            SELECT gen_random_uuid(), 'w', t::timestamptz, t::timestamptz, n, n, '1'
            FROM unnest(\(Self.times)) AS t CROSS JOIN unnest(\(Self.counts)) AS n
            """
        )
        try await fixture.database.pool.execute(
            """
            INSERT INTO sync_throughput (minute, worker, completed, failed)
            SELECT t::timestamptz, 'w', 9223372036854775807, -9223372036854775808 FROM unnest(\(Self.times)) AS t
            """
        )
        return Self.times.count * Self.statuses.count * Self.counts.count * 4
    }

    @Test func everyRouteAnswers() async throws {
        try await StatusFixture.with { fixture in
            let count = try await insert(fixture)
            for path in ["/", "/metrics", "/readyz", "/health"] {
                let answer = try await fixture.request(path, headers: ["Accept": "text/html"])
                #expect(answer.status == 200, "\(path): \(answer.text.prefix(300))")
            }
            var seen: Set<String> = []
            var dueTimes: Set<String> = []
            var cursor: String?
            repeat {
                let suffix = cursor.map { "&cursor=\($0)" } ?? ""
                let answer = try await fixture.request("/internal/sync/jobs?limit=97\(suffix)")
                #expect(answer.status == 200, "\(answer.text)")
                for job in try #require(try answer.json["jobs"] as? [[String: Any]]) {
                    let id = try #require(job["job_id"] as? String)
                    #expect(seen.insert(id).inserted, "\(id) is listed twice")
                    dueTimes.insert(try #require(job["run_at"] as? String))
                    #expect((job["created_at"] as? String)?.count == 19, "a time that its callers can read")
                }
                cursor = try answer.json["next_cursor"] as? String
            } while cursor != nil
            #expect(seen.count == count)
            #expect(dueTimes.isSuperset(of: ["infinity", "-infinity", "2020-01-01T00:00:00", "9999-12-31T23:59:59"]))
            #expect(dueTimes.contains { $0.hasPrefix("0001-01-0") })
            for id in seen.prefix(30) {
                let status = try await fixture.request("/internal/sync/status/\(id)")
                #expect(status.status == 200, "\(status.text)")
                #expect(try await fixture.request("/jobs/\(id)").status == 200)
            }
        }
    }

    /// What a client may send as a position is answered, whatever the number.
    @Test func everyPositionIsAnswered() async throws {
        try await StatusFixture.with { fixture in
            _ = try await fixture.insertJob()
            let id = "6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11"
            for (number, jobs) in [
                ("0", 0), ("-0", 0), ("-9223372036854775808", 0), ("-9999999999999999999", 0),
                ("9223372036854775807", 1), ("9999999999999999999", 1), ("253402300800000000", 1),
            ] {
                let answer = try await fixture.request("/internal/sync/jobs?cursor=\(number)_\(id)")
                #expect(answer.status == 200, "\(number): \(answer.text)")
                #expect((try answer.json["jobs"] as? [Any])?.count == jobs, "\(number)")
            }
            for text in ["", "1_2", "_\(id)", "x_\(id)", "+1_\(id)", "10000000000000000000000_\(id)"] {
                let answer = try await fixture.request("/internal/sync/jobs?cursor=\(text)")
                #expect(answer.status == 400 || text.isEmpty, "\(text)")
            }
        }
    }
}
