import FlowControl
import Foundation
import JobQueue
import Support

/// The jobs that run, and how each goes.
struct WorkerRuns {
    let runs: [JobRun]
    /// By the database's clock.
    let now: Date

    func of(_ worker: WorkerRecord) -> [JobRun] {
        runs.filter { $0.worker?.instance == worker.instance }
    }

    /// Those whose worker's row is gone, or tells too little.
    var withoutWorker: [JobRun] { runs.filter { $0.worker == nil } }

    /// `! job 6f1c2f9e… of anna: 93/150 notes, 2 failed, 3.1 notes/s, last progress 5 s ago, lease 48 s left`.
    func text(of run: JobRun) -> String {
        let stuck = run.stuckSince(now: now)
        let failed = run.job.failedNotes > 0 ? "\(run.job.failedNotes) failed" : nil
        let parts: [String?] = [
            run.job.totalNotes > 0 ? "\(run.job.notes) notes" : "no notes fetched yet", failed,
            run.notesPerSecond(now: now).map(Self.rate),
            run.lastProgressAt.map { "last progress \(TimeText.relative($0, to: now))" }, lease(of: run),
            stuck.map { "stuck since \(TimeText.full($0))" }, run.worker == nil ? "its worker is not known" : nil,
        ]
        let mark = stuck == nil && run.worker != nil ? "" : "! "
        return
            "\(mark)job \(run.job.id) of \(run.job.userID.rawValue): \(parts.compactMap(\.self).joined(separator: ", "))"
    }

    func lease(of run: JobRun) -> String {
        run.isLeaseOver
            ? "lease over" : "lease \(TimeText.rough(.seconds(run.leaseEndsAt.timeIntervalSince(now)))) left"
    }

    /// `3.1 notes/s`.
    static func rate(_ notes: Double) -> String { String(format: notes < 0.1 ? "%.2f notes/s" : "%.1f notes/s", notes) }

    func json(_ run: JobRun) -> JSONValue {
        [
            "job_id": .string(run.job.id.description), "user_id": .string(run.job.userID.rawValue),
            "started_at": .time(run.job.startedAt), "attempt": .int(run.job.attempt),
            "total_notes": .int(run.job.totalNotes), "processed_notes": .int(run.job.processedNotes),
            "failed_notes": .int(run.job.failedNotes),
            "notes_per_second": run.notesPerSecond(now: now).map(JSONValue.double) ?? .null,
            "last_progress_at": .time(run.lastProgressAt), "lease_ends_at": .time(run.leaseEndsAt),
            "is_lease_over": .bool(run.isLeaseOver), "stuck_since": .time(run.stuckSince(now: now)),
            "expected_end": .time(run.expectedEnd(now: now)),
        ]
    }
}

extension WorkerRecord {
    /// `alive`, `silent` or `dead`.
    var state: String { isSilent ? mayLive ? "silent" : "dead" : "alive" }
}

/// The workers and their jobs, for people.
enum WorkerTable {
    static func table(_ workers: [WorkerRecord], _ runs: WorkerRuns, failing peers: [String]) -> TextTable {
        var table = TextTable([
            .init(title: "WORKER"), .init(title: "STATE", style: Style.ofState), .init(title: "VERSION"),
            .init(title: "BUSY", alignment: .right), .init(title: "SLOTS", alignment: .right), .init(title: "STARTED"),
            .init(title: "LAST SEEN"),
        ])
        for worker in workers {
            table.add(
                [
                    worker.label(among: workers), worker.state, worker.version, "\(worker.busy)", "\(worker.slots)",
                    TimeText.full(worker.startedAt),
                    "\(TimeText.rough(worker.silence)) ago\(worker.isSilent ? ", silent" : worker.isListening == false ? ", deaf" : "")",
                ],
                remarks: [remark(worker, failing: peers)] + runs.of(worker).map { runs.text(of: $0) as String? }
            )
        }
        return table
    }

    /// Why a worker that is there takes no job.
    private static func remark(_ worker: WorkerRecord, failing peers: [String]) -> String? {
        if !worker.isSilent, let since = worker.claimsFailingSince {
            return "gets no job since \(TimeText.full(since)): the database refuses its claims or results; see its log"
        }
        guard !worker.isSilent, let since = worker.claimsHeldSince else { return nil }
        return
            "claims no jobs since \(TimeText.full(since)): it does not reach \(Peer.words(for: peers)), or another worker is to find "
            + "out whether it is back; see its log and syncctl gates"
    }
}
