import Foundation
import Postgres

@testable import FlowControl
@testable import JobQueue
@testable import NoteSync

/// A statement that runs all day, as its module sends it, over ten jobs or notes.
struct HotStatement: Sendable, CustomStringConvertible {
    let description: String
    /// What is sent together.
    let batch: [PostgresQuery]
    /// Indexes it is to use, among others.
    let indexes: Set<String>
    /// The most index entries it may read.
    let mostEntries: Int
    /// Tables it may read whole, being small.
    let scanned: Set<String>

    init(
        _ description: String,
        _ batch: [PostgresQuery],
        _ indexes: Set<String>,
        atMost mostEntries: Int = 100,
        scanning scanned: Set<String> = ["sync_workers"]
    ) {
        self.description = description
        self.batch = batch
        self.indexes = indexes
        self.mostEntries = mostEntries
        self.scanned = scanned
    }

    private static let ten = 0..<10
    private static let user = UserID("user-7")
    private static let notes = ten.map { "note-\($0)" }
    private static var held: [(id: JobID, user: UserID, lease: Lease)] {
        ten.map { (LargeTables.job($0), UserID("user-\($0)"), Lease(Int64($0))) }
    }

    static var all: [HotStatement] { queue + notesOfAJob + gates + readers }

    private static var queue: [HotStatement] {
        let finishes = held.map { job in
            JobFinish(
                id: job.id,
                userID: job.user,
                lease: job.lease,
                status: .completed,
                spendsAttempt: true,
                delay: .zero,
                error: nil,
                logLevel: nil,
                logMessage: nil
            )
        }
        let start = ClaimPosition(
            priority: -1,
            runAt: PostgresInstant(microseconds: 0),
            id: ClaimPosition.lowestID
        )
        let lease = Lease(1_000_000)
        let presence = WorkerPresence(instance: WorkerInstance(), name: "w1", slots: 10, version: "test")
        return [
            HotStatement(
                "claim",
                [.claim(slots: 10, window: 10, after: nil, worker: "w1", firstLease: lease, lease: .seconds(60))],
                ["sync_queue_claim", "sync_jobs_pkey", "sync_pauses_pkey", "sync_pauses_until"]
            ),
            HotStatement(
                "claim from where the last ended",
                [.claim(slots: 10, window: 10, after: start, worker: "w1", firstLease: lease, lease: .seconds(60))],
                ["sync_queue_claim", "sync_jobs_pkey", "sync_pauses_pkey"]
            ),
            // Nothing but forced jobs is read, however much is due.
            HotStatement(
                "claim while everything is paused",
                [
                    .setPause(.all, for: nil, reason: "r"),
                    .claim(slots: 10, window: 10, after: nil, worker: "w1", firstLease: lease, lease: .seconds(60)),
                ],
                ["sync_queue_forced", "sync_pauses_pkey"],
                atMost: 30
            ),
            HotStatement(
                "heartbeat",
                [.heartbeat(worker: presence, jobs: held, ended: EndedJobs(), lease: .seconds(60))],
                ["sync_queue_running"]
            ),
            HotStatement("held", [.held(held.map { ($0.id, $0.lease) })], ["sync_jobs_pkey"]),
            HotStatement(
                "finish",
                [.finish(finishes), .unparkNext(of: held.map(\.user), wakes: false)],
                ["sync_jobs_pkey", "sync_queue_running"]
            ),
            HotStatement("the end of pauses", [.endPauses(limit: 1000)], ["sync_pauses_until"]),
            // It reads every running row and nothing else.
            HotStatement(
                "rescue",
                [.rescue(limit: 100)],
                ["sync_queue_running"],
                atMost: LargeTables.running + 100
            ),
        ]
    }

    private static var notesOfAJob: [HotStatement] {
        let job = LargeTables.job(7)
        let lease = Lease(7)
        let time = KeepTimestamp(Date(timeIntervalSince1970: 1_700_000_000))
        let hash = ContentHash(text: "hash")
        let database = NotionDatabaseID("database")
        let intents = notes.map { note in
            Intent(
                noteID: note,
                operation: .update,
                pageID: "page",
                idempotencyKey: UUID(),
                hash: hash,
                modifiedAt: time,
                databaseID: database,
                openFor: .seconds(190)
            )
        }
        let requests = intents.map { RequestReference(noteID: $0.noteID, request: $0.request) }
        func pages(_ prefix: String, _ origin: PageRecord.Origin) -> [PageRecord] {
            notes.map { note in
                PageRecord(
                    noteID: prefix + note,
                    pageID: "page",
                    modifiedAt: time,
                    hash: hash,
                    untitledNumber: nil,
                    databaseID: database,
                    origin: origin
                )
            }
        }
        let created = pages("new-", .created(by: RequestID(), key: UUID(), replacing: nil)).compactMap(CreatedPage.init)
        let updated = pages("", .updated(by: RequestID())).compactMap(UpdatedPage.init)
        let unknown = requests.map { UnknownOutcome(noteID: $0.noteID, request: $0.request, reason: "r") }
        return [
            HotStatement("state look-ups", [.knownNotes(notes, user: user)], []),
            HotStatement("cursor", [.readCursor(user: user, lease: lease, peer: "p")], ["sync_cursors_pkey"]),
            HotStatement(
                "intents",
                [
                    .beginIntents(intents, user: user, job: job, lease: lease), .markUnknown(unknown, user: user),
                    .withdrawIntents(requests, user: user), .settleIntents(requests, user: user),
                    .recordProgress(JobProgress(transaction: 1), job: job, lease: lease),
                ],
                ["sync_intents_pkey", "sync_jobs_pkey"],
                atMost: 200
            ),
            HotStatement("new pages", [.recordCreatedPages(created, user: user, job: job)], []),
            HotStatement("updated pages", [.recordUpdatedPages(updated, user: user)], []),
            HotStatement("known pages", [.recordFoundPages(pages("", .found), user: user)], []),
        ]
    }

    /// On a gate that is there, which is locked and updated.
    private static var gates: [HotStatement] {
        let token = GateName(.notionWriter, .token, key: "7")
        let names = [GateName(.notionWriter), GateName(.notionWriter, .workspace, key: "7"), token]
        let limit = PaceLimit(permitsPerSecond: 3, burst: 3)
        return [
            HotStatement(
                "permits",
                [
                    .takePermits(
                        passing: names,
                        paced: token,
                        limit,
                        wanted: 10,
                        unused: .none,
                        horizon: .seconds(60),
                        hasSucceeded: false,
                        process: "p1"
                    )
                ],
                ["sync_gates_pkey"],
                atMost: 20
            ),
            HotStatement(
                "refusal",
                [
                    .refuse(
                        token,
                        beganAgo: .seconds(1),
                        asked: nil,
                        longest: .seconds(60),
                        reason: "r",
                        by: "w1",
                        closes: true
                    )
                ],
                ["sync_gates_pkey"],
                atMost: 20
            ),
            HotStatement(
                "jobs that wait for longer than their gates say",
                [.recallJobs(limit: 1000)],
                // What is snoozed by either of the indexes that have it all.
                ["sync_replaced_credentials_pkey"],
                atMost: 20
            ),
        ]
    }
}
