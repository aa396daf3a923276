import Foundation
import JobQueue
import Support

/// A job at one look.
struct JobSnapshot: Sendable {
    let job: JobRecord
    let phase: JobPhase
    /// By the database's clock.
    let now: Date
    /// Notes settled per second since the watching began; nil while that says nothing.
    let notesPerSecond: Double?

    /// What must differ for a new plain line.
    struct Change: Equatable {
        let phase: JobPhase
        let total: Int
        let processed: Int
        let failed: Int
    }

    var change: Change {
        Change(phase: phase, total: job.totalNotes, processed: job.processedNotes, failed: job.failedNotes)
    }

    /// What keeps the job from running, as a clause; nil: nothing does that would be worth a word.
    var hold: String? {
        switch phase {
        case .held(let text): text.singleLine.withoutFullStop
        case .fetching(let gate?), .writing(let gate?): "waits, as \(gate.briefText)"
        default: nil
        }
    }

    /// Time since the first attempt began; nil before.
    var elapsed: Duration? {
        job.startedAt.map { .seconds(max(0, (job.completedAt ?? now).timeIntervalSince($0))) }
    }

    /// `93/150 notes, 2 failed`; empty while no number is known.
    var notes: String {
        guard job.totalNotes > 0 else { return "" }
        let failed = job.failedNotes > 0 ? ", \(job.failedNotes) failed" : ""
        return "\(job.processedNotes + job.failedNotes)/\(Count.of(job.totalNotes, "note"))\(failed)"
    }

    /// The job as lists have it, with what it does.
    var json: JSONValue {
        job.json(
            with: [
                "phase": .string(phase.text(now: now)),
                "notes_per_second": notesPerSecond.map(JSONValue.double) ?? .null,
            ]
        )
    }

    /// How the job ended, in a sentence.
    var conclusion: String {
        let time = elapsed.map { " in \(TimeText.clock($0))" } ?? ""
        switch job.status {
        case .completed where job.failedNotes > 0:
            return "Completed\(time): \(Count.of(job.processedNotes, "note")) processed, \(job.failedNotes) failed. "
                + "See why with: syncctl jobs \(job.id)"
        case .completed: return "Completed\(time): \(Count.of(job.processedNotes, "note")) processed."
        case .failed: return "Failed\(time): \((job.errorMessage ?? "no reason is recorded").singleLine)"
        case .cancelled: return "Cancelled."
        case .running where job.isRunOutside:
            return "Job \(job.id) is set to running from outside: no worker runs it."
        case .queued, .running: return "Job \(job.id) goes on."
        case .unknown(let word):
            return "The job has the status \"\(word.singleLine)\", which no worker knows: it does not run. "
                + "Run it with: syncctl retry \(job.id)"
        }
    }
}
