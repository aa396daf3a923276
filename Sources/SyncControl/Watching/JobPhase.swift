import Foundation
import JobQueue
import Postgres

/// What a job is doing, as far as its row tells.
enum JobPhase: Equatable, Sendable {
    /// Due, and no worker has taken it yet.
    case waiting
    /// No worker is there, and nothing else keeps it.
    case unworked
    /// Kept from running by what this text says.
    case held(String)
    /// Not due before this time.
    case scheduled(Date)
    /// An attempt failed or the job was put off; the next one is due at this time.
    case retrying(reason: String, due: Date)
    /// No number of notes is known yet. The gate lets no call pass now: whatever calls next waits there.
    case fetching(ClosedGate? = nil)
    case writing(ClosedGate? = nil)
    /// Set to running by something that is no worker.
    case outside
    /// Every note is settled.
    case finishing
    case ended(JobStatus)
    /// The database does not answer, or refuses; the job itself may well go on.
    case unreachable

    /// - Parameters:
    ///   - waits: what a queued job waits for; empty: not known.
    ///   - gate: the gate of a peer that lets no call of a running job pass now; nil: all are open.
    init(_ job: JobRecord, waits: [JobHold] = [], gate: ClosedGate? = nil, now: Date) {
        switch job.status {
        case .completed, .failed, .cancelled, .unknown:
            self = .ended(job.status)
        case .running where job.isRunOutside:
            self = .outside
        case .running:
            let settled = job.processedNotes + job.failedNotes
            self = job.totalNotes == 0 ? .fetching(gate) : settled < job.totalNotes ? .writing(gate) : .finishing
        case .queued:
            if waits == [.noWorker] {
                self = .unworked
            } else if let text = waits.watchedText {
                self = .held(text)
            } else if job.runAt > now, let error = job.lastError {
                self = .retrying(reason: error, due: job.runAt)
            } else {
                // Once it is due, what kept it says nothing any more.
                self = job.runAt > now ? .scheduled(job.runAt) : .waiting
            }
        }
    }

    /// A few words for a person.
    ///
    /// - Parameter now: by the database's clock, as due times are.
    func text(now: Date) -> String {
        switch self {
        case .waiting: "waiting in the queue"
        case .unworked: "waiting in the queue for \(JobHold.noWorker.text)"
        case .held(let text): text.singleLine
        case .scheduled(let due): "due \(Self.until(due, now))"
        case .retrying(let reason, let due): "next attempt \(Self.until(due, now)): \(reason.singleLine)"
        case .fetching(let gate): "no notes fetched yet" + (gate.map { "; \($0.briefText)" } ?? "")
        case .writing(let gate): "writing notes" + (gate.map { "; \($0.briefText)" } ?? "")
        case .outside: "set to running from outside: no worker runs it"
        case .finishing: "finishing"
        case .ended(let status): status.rawValue.singleLine
        case .unreachable: "the database can't be asked; trying again"
        }
    }

    private static func until(_ due: Date, _ now: Date) -> String {
        due.infinityText.map { "at \($0)" } ?? "in \(TimeText.rough(.seconds(due.timeIntervalSince(now).rounded(.up))))"
    }
}
