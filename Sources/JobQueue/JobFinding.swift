public import Foundation

/// Why a job does not run, or how it goes: one of the things that are so.
public enum JobFinding: Sendable {
    // Of a job that is queued and that no claim takes.

    /// It is paused, and not forced.
    case paused(Pause)
    /// It has been enqueued for later.
    case dueLater(Date)
    /// Its last attempt did not complete, or it was put off, for this reason; the next is due then.
    case retrying(Date, reason: String)
    /// It has been put off until this gate may let its calls pass; the next attempt is due then.
    case snoozed(ClosedGate, until: Date)
    /// Another job of its user runs.
    case behind(JobRun)
    /// Another job of its user is due, comes before it and is claimed first.
    case behindQueued(JobID)
    /// It is parked, and nothing that it was parked for is there any more: a worker brings it back.
    case parked
    /// The same, and what it was parked for is a pause that is over.
    case pauseEnded(Pause)
    /// A session has its record locked, or its queue row: claims pass over it.
    case locked(LockingSession, isRecord: Bool)
    /// It has no row in the queue, as where rows were changed while no trigger fired: a worker makes one.
    case notInQueue

    // Of a job that a claim would take.

    /// No worker is there. The one that was there last, if any is known.
    case noWorker(last: LastWorker?)
    /// It would come to this gate, which lets no call pass.
    case gate(ClosedGate)
    /// All workers that are there hold their claims, the first since then, as calls of these peers fail.
    case claimsHeld(since: Date, peers: [String])
    /// The database refuses the claims of all workers that are there, the first since then.
    case claimsFail(since: Date)
    /// The slots of all workers that claim are taken.
    case slotsFull(running: Int, slots: Int, workers: Int, QueueBacklog)
    /// Nothing: the next claim takes it.
    case claimable

    // Of a job that was begun.

    case running(JobRun)
    /// The worker that holds it has stopped answering. How many others are there to take it over.
    case workerLost(JobRun, others: Int)
    /// It was set to running by something that is no worker.
    case runOutside
    /// It has ended.
    case ended(JobStatus)
}

/// Why a job does not run, or how it goes, by what a claim asks of it.
public struct JobDiagnosis: Sendable {
    public let job: JobRecord
    /// When that was found, by the database's clock.
    public let now: Date
    /// The first decides; what follows would keep it once that is over, or keeps what it waits for. Never empty.
    public let findings: [JobFinding]
    /// Whether a claim by a worker with a free slot takes it, once it has come to it. What a worker passes over for
    /// seconds, as the database has refused to let it begin, is not on record; that worker's log says it.
    public let isClaimable: Bool
}
