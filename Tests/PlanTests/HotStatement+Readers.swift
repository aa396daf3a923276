import Foundation
import Postgres

@testable import FlowControl
@testable import JobQueue
@testable import NoteSync
@testable import ServiceHealth
@testable import StatusAPI

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
                [.claimConditions(of: [LargeTables.due]), .hold(on: [LargeTables.due], behind: ["notion_writer"])],
                [
                    "sync_jobs_pkey", "sync_queue_claim", "sync_queue_running", "sync_jobs_user_recent",
                    "sync_pauses_pkey",
                ],
                atMost: 60
            ),
            HotStatement(
                "why a job runs",
                [.claimConditions(of: [LargeTables.job(7)]), .lastLine(of: LargeTables.job(7))],
                ["sync_jobs_pkey", "sync_queue_running", "sync_logs_job"],
                atMost: 60
            ),
            // Of a whole list at once: what one job takes, for each.
            HotStatement(
                "what the jobs of a list wait for",
                [
                    .claimConditions(of: [LargeTables.due] + (0..<19).map { LargeTables.job($0) }),
                    .hold(on: [LargeTables.due] + (0..<19).map { LargeTables.job($0) }, behind: ["notion_writer"]),
                ],
                ["sync_jobs_pkey", "sync_queue_claim", "sync_queue_running", "sync_pauses_pkey"],
                atMost: 600
            ),
            HotStatement(
                "short identifiers and causes",
                [
                    .neighbours(of: (0..<20).map { LargeTables.job($0 * 50) }),
                    .causes(of: (0..<20).map { LargeTables.job($0 * 50) }),
                ],
                ["sync_jobs_pkey"]
            ),
            HotStatement(
                "jobs by all that a list filters by",
                [
                    .jobs(
                        JobFilter(statuses: [.completed], age: .seconds(60), error: "x", hasFailedNotes: true),
                        limit: 20,
                        scanned: 1000
                    )
                ],
                ["sync_jobs_recent"],
                atMost: 2100
            ),
            HotStatement(
                "failed jobs of a cause",
                [.jobs(JobFilter(cause: "000000000000"), limit: 20, scanned: 100)],
                ["sync_jobs_unsuccessful"],
                atMost: 300
            ),
            HotStatement(
                "users with an open job",
                [.busyUsers(among: (0..<10).map { UserID("user-\($0 * 5000)") } + [UserID("at-once")])],
                ["sync_queue_running", "sync_queue_parked", "sync_jobs_user_recent"],
                atMost: 200
            ),
            HotStatement(
                "many jobs retried",
                [
                    .retry(
                        (0..<10).map { (LargeTables.job(5000 + $0 * 50), .seconds($0)) },
                        from: [.failed],
                        isOnePerUser: true
                    )
                ],
                ["sync_jobs_pkey", "sync_queue_running", "sync_jobs_user_recent"],
                atMost: 300
            ),
            HotStatement(
                "many jobs cancelled",
                [.cancel((0..<10).map { LargeTables.job($0) }, from: [.running])],
                ["sync_jobs_pkey"],
                atMost: 300
            ),
            HotStatement(
                "a page of a job's log",
                [.logPage(of: LargeTables.job(7), after: 0, levels: ["ERROR"], limit: 1000)],
                ["sync_logs_job"],
                atMost: 20
            ),
            HotStatement(
                "the life of a note",
                [
                    .page(ofNote: "note-7", user: UserID("user-7")), .write(ofNote: "note-7", user: UserID("other-7")),
                    .unheardRequests(ofNote: "note-7", user: UserID("other-7"), limit: 100),
                    .surplusPages(ofNote: "note-7", user: UserID("other-7"), limit: 100),
                    .logLines(ofNote: "note-7", user: UserID("user-7"), jobs: [], newest: 20, limit: 20),
                ],
                ["sync_state_user_id_keep_note_id_key", "sync_intents_pkey", "sync_jobs_user_recent"]
            ),
            HotStatement(
                "jobs that run, of the list of workers",
                [.runs(limit: 10)],
                ["sync_queue_running", "sync_jobs_pkey"],
                atMost: 60
            ),
            HotStatement(
                "the screen of the whole",
                [
                    .queueOverview(most: 100), .jobRates(),
                    .failureCauses(within: .seconds(3600), scanned: 100, limit: 10),
                ],
                ["sync_queue_claim", "sync_queue_parked", "sync_queue_running", "sync_jobs_unsuccessful"],
                atMost: 700
            ),
            // The user has twenty thousand finished jobs, and a thousand records are read.
            HotStatement(
                "why a job waits whose user has many",
                [.claimConditions(of: [LargeTables.dueOfMany]), .gatesAwaited(by: UserID("at-once"))],
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
