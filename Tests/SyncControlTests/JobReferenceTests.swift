import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

/// A job is named by as much of its identifier as tells it from the others, wherever one is asked for.
@Suite("The beginning of a job's identifier names the job", .migrated)
struct JobReferenceTests {
    private func insert(_ ids: [String], _ control: ControlFixture) async throws {
        for id in ids {
            let id = try #require(UUID(uuidString: id))
            try await control.execute(
                "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (\(id), \("u-\(id)"), 'queued')"
            )
        }
    }

    private static let first = "6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11"
    private static let second = "6f1c2f9e-8d0b-4000-9a61-0d5f0b7c2e11"
    private static let edges = ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]

    @Test(
        "By jobs, cancel and retry alike",
        arguments: ["6f1c2f9e-8d0b-4f", "6F1C2F9E8D0B4F5", "6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e1"]
    )
    func everywhere(_ prefix: String) async throws {
        let control = try ControlFixture()
        try await insert([Self.first, Self.second] + Self.edges, control)
        for (command, status) in [("cancel", JobStatus.cancelled), ("retry", .queued)] {
            let run = try await control.run(command, prefix)
            #expect(run.code == 0, "\(run)")
            let id = try #require(JobID(parsing: Self.first))
            let job = try await control.jobs.job(id)
            #expect(job?.status == status)
        }
        let shown = try await control.run("jobs", prefix)
        #expect(shown.code == 0 && shown.output.contains(Self.first), "\(shown)")
        let watched = try await control.run("watch", prefix, "--timeout", "100ms")
        #expect(watched.code == 75 && watched.errors.contains(Self.first), "\(watched)")
        for id in Self.edges {
            let edge = try await control.run("jobs", String(id.prefix(4)))
            #expect(edge.code == 0 && edge.output.contains(id), "\(edge)")
        }
    }

    @Test("One that several jobs have, or none, changes nothing and is explained")
    func ambiguous() async throws {
        let control = try ControlFixture()
        try await insert([Self.first, Self.second] + Self.edges, control)
        for command in ["cancel", "retry", "jobs", "watch"] {
            let several = try await control.run(command, "6f1c2f9e")
            #expect(several.code == 64, "\(several)")
            #expect(several.errors.contains(Self.first) && several.errors.contains(Self.second), "\(several)")
            let none = try await control.run(command, "6f1c2f9f")
            #expect(none.code == 66 && none.errors.contains("begins with 6f1c2f9f"), "\(none)")
            for odd in ["6f1", "6f1-c2f9e", "6f1c2f9g", "6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e111"] {
                let refused = try await control.run(command, odd)
                #expect(refused.code == 64 && refused.errors.contains("is no job id"), "\(refused)")
            }
        }
        let statuses = try await control.jobs.jobs(limit: 10).map(\.status)
        #expect(statuses.allSatisfy { $0 == .queued })
        // One that is refused keeps no other from its turn.
        let mixed = try await control.run("cancel", "6f1c2f9e", "6f1c2f9e-8d0b-4f")
        #expect(mixed.code == 64 && mixed.output.contains("Job \(Self.first) is cancelled."), "\(mixed)")
    }
}
