import Foundation
import Postgres

@testable import FlowControl
@testable import JobQueue
@testable import ServiceHealth

/// What people, the sidecar and programs that scrape ask for.
extension HotStatement {
    static var readers: [HotStatement] {
        [
            HotStatement(
                "status",
                [.job(LargeTables.job(5000))],
                ["sync_jobs_pkey"]
            ),
            HotStatement(
                "jobs whose identifiers begin so",
                JobIDPrefix("00000000").map { [.jobs(beginningWith: $0, limit: 6)] } ?? [],
                ["sync_jobs_pkey"],
                atMost: 20
            ),
            // Also the queue row of a job that is due, in the middle of all that are.
            HotStatement(
                "why a job waits",
                [.claimConditions(of: LargeTables.due), .hold(on: LargeTables.due, behind: ["notion_writer"])],
                [
                    "sync_jobs_pkey", "sync_queue_claim", "sync_queue_running", "sync_jobs_user_recent",
                    "sync_pauses_pkey",
                ],
                atMost: 60
            ),
            HotStatement(
                "why a job runs",
                [.claimConditions(of: LargeTables.job(7)), .lastLine(of: LargeTables.job(7))],
                ["sync_jobs_pkey", "sync_queue_running", "sync_logs_job"],
                atMost: 60
            ),
            // The user has twenty thousand finished jobs, and a thousand records are read.
            HotStatement(
                "why a job waits whose user has many",
                [.claimConditions(of: LargeTables.dueOfMany), .gatesAwaited(by: UserID("at-once"))],
                ["sync_jobs_user_recent", "sync_queue_claim"],
                atMost: 2100
            ),
            // What is due later at a lower priority number is passed over.
            HotStatement(
                "what is before a job",
                [.backlog(priority: 0, runAt: Date(), id: LargeTables.due, atMost: 1000)],
                ["sync_queue_claim", "sync_throughput_pkey"],
                atMost: 1100
            ),
            HotStatement(
                "how a user's jobs stand",
                [.jobs(of: UserID("at-once"), scanned: 5000)],
                ["sync_jobs_user_recent"],
                atMost: 5100
            ),
            HotStatement(
                "jobs of a user",
                [.jobs(user: UserID("user-5000"), limit: 20)],
                ["sync_jobs_user_recent"]
            ),
            HotStatement(
                "jobs of a user that came at once",
                [.jobs(user: UserID("at-once"), after: LargeTables.amongThose, limit: 20)],
                ["sync_jobs_user_recent"]
            ),
            HotStatement(
                "jobs of a user with a status that few have",
                [.jobs(user: UserID("at-once"), status: .unknown("rare"), limit: 20, scanned: 1000)],
                ["sync_jobs_user_recent"],
                atMost: 2100
            ),
            HotStatement(
                "jobs with a status that few have",
                [.jobs(status: .unknown("rare"), limit: 20, scanned: 1000)],
                ["sync_jobs_recent"],
                atMost: 2100
            ),
            HotStatement(
                "unsuccessful jobs with a status that few have",
                [.jobs(status: .cancelled, limit: 20, scanned: 100)],
                ["sync_jobs_unsuccessful"],
                atMost: 300
            ),
            HotStatement("recent jobs", [.jobs(limit: 20)], ["sync_jobs_recent"]),
            // It counts what has not ended, and nothing else; writes that are open or unknown are in a table of their
            // own.
            HotStatement(
                "scrape",
                [.queueDepth()],
                ["sync_queue_claim", "sync_queue_running"],
                atMost: LargeTables.queued * 2 + LargeTables.dueLater + LargeTables.running + 100,
                scanning: ["sync_intents"]
            ),
            // Of what is due later a thousand jobs are read, of what is parked a thousand, and their records.
            HotStatement(
                "what jobs wait for",
                [.countWaitingJobs(), .countJobsBehindGates()],
                [
                    "sync_queue_claim", "sync_queue_parked", "sync_queue_running", "sync_jobs_pkey", "sync_pauses_pkey",
                    "sync_queue_snoozed",
                ],
                atMost: 12_000
            ),
            HotStatement(
                "jobs that failed lately",
                [
                    // Its user has twenty thousand jobs that are newer.
                    "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (gen_random_uuid(), 'at-once', 'failed')",
                    .openFailures(),
                ],
                ["sync_jobs_unsuccessful", "sync_jobs_user_recent"],
                atMost: 500
            ),
            HotStatement(
                "useful workers",
                [.usefulWorkers()],
                ["sync_queue_claim", "sync_queue_running", "sync_pauses_pkey", "sync_gates_pkey"],
                atMost: LargeTables.queued + LargeTables.running + LargeTables.paused + 100
            ),
        ]
    }
}
