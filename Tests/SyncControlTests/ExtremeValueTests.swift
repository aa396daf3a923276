import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import SyncControl

/// Rows as they were before there were bounds, or came in while triggers were off, and what is said of them.
@Suite("Extreme values in the tables", .migrated)
struct ExtremeValueTests {
    private static let times = [
        "-infinity", "4714-11-24 00:00:00+00 BC",
        "0001-01-01 00:00:00+00", "1700-01-01 00:00:00.000001+00", "2020-01-01 00:00:00+00", "12026-01-01 00:00:00+00",
        "294276-12-31 23:59:59.999999+00", "infinity",
    ]

    private func insert(_ control: ControlFixture) async throws {
        try await control.execute("ALTER TABLE sync_jobs DISABLE TRIGGER sync_jobs_inserting")
        for time in Self.times {
            try await control.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, created_at, run_at, started_at, completed_at, total_notes,
                    processed_notes, failed_notes)
                SELECT gen_random_uuid(), \(time), s.status, \(time)::text::timestamp, \(time)::text::timestamptz,
                    CASE WHEN s.status <> 'queued' THEN \(time)::text::timestamptz END, \(time)::text::timestamp, total,
                    -2147483648, total
                FROM unnest(ARRAY['queued', 'running', 'completed', 'paused?']) AS s (status)
                CROSS JOIN unnest(ARRAY[-2147483648, 0, 1, 2147483647]) AS total
                """
            )
        }
    }

    @Test("Every job is listed and shown")
    func everyJobIsShown() async throws {
        let control = try ControlFixture()
        try await insert(control)
        let count = Self.times.count * 16
        let list = try await control.run("jobs", "--limit", "1000")
        #expect(list.code == 0, "\(list)")
        let json = try await control.run("jobs", "--limit", "1000", "--json")
        #expect(json.code == 0 && json.output.components(separatedBy: #""job_id""#).count == count + 1)
        #expect(json.output.contains(#""run_at":"infinity""#) && json.output.contains(#""run_at":"-infinity""#))
        for job in try await control.jobs.jobs(limit: count).prefix(40) where job.status == .queued {
            let one = try await control.run("jobs", "\(job.id)")
            #expect(one.code == 0, "\(one)")
            if job.userID.rawValue == "infinity" { #expect(one.output.contains("infinity"), "\(one)") }
        }
    }

    @Test("A wait for a job that is never due says so, whatever its numbers")
    func aWaitForever() async throws {
        let control = try ControlFixture()
        try await insert(control)
        let rows = try await control.database.pool.query(
            "SELECT job_id FROM sync_jobs WHERE run_at = 'infinity' AND status IN ('queued', 'running')"
        )
        for row in rows {
            let id = JobID(try row.decode("job_id"))
            let watch = try await control.run("watch", "\(id)", "--timeout", "1s")
            #expect(watch.code == 75, "\(watch)")
            let job = try #require(try await control.jobs.job(id))
            if job.status == .queued { #expect((watch.output + watch.errors).contains("due at infinity"), "\(watch)") }
            for isUnicode in [true, false] {
                let snapshot = JobSnapshot(
                    job: job,
                    phase: JobPhase(job, now: Date()),
                    now: Date(),
                    notesPerSecond: 1e300
                )
                #expect(!ProgressLine(snapshot: snapshot).bar(width: 80, isUnicode: isUnicode).isEmpty)
            }
        }
    }

    @Test("--at takes times from 1970 to 2999 and says so")
    func dueTimesHaveARange() async throws {
        let control = try ControlFixture()
        for text in [
            "0001-01-01 00:00:00+00", "1700-01-01", "1969-12-31T23:59:59", "3000-01-01", "4001-01-01", "+36501d",
        ] {
            #expect(DueTime(text) == nil, "\(text)")
            let run = try await control.run("enqueue", "ada", "--force", "--at", text)
            #expect(run.code == 64 && run.errors.contains("from 1970 to 2999"), "\(run)")
        }
        for text in ["1970-01-01", "2999-12-31T23:59:59Z", "+36500d"] {
            #expect(DueTime(text) != nil, "\(text)")
            let run = try await control.run("enqueue", "ada", "--force", "--at", text)
            #expect(run.code == 0, "\(run)")
        }
    }

    @Test("A take-over goes through, whatever the times")
    func aTakeOver() async throws {
        let control = try ControlFixture()
        try await insert(control)
        let run = try await control.run("migrate", "--take-over")
        #expect(run.code == 0, "\(run)")
        // Never claimed, and created and due at one time more than a day ago.
        let failed = try await control.jobs.jobs(user: UserID("2020-01-01 00:00:00+00"), status: .failed, limit: 100)
        #expect(failed.count == 8, "queued and running")
        #expect(try await control.jobs.disagreements().isEmpty)
    }
}
