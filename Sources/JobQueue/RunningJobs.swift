import Support

/// The jobs this worker holds right now, and the slots that they take.
///
/// A job that has ended keeps its slot until its result is recorded, and its lease, so that nobody else runs it. Where
/// the result waits for what somebody has locked, or takes long, the slot becomes free after some seconds.
final class RunningJobs: Sendable {
    struct Entry: Sendable {
        let job: ClaimedJob
        let lease: LeaseGuard
    }

    private struct State {
        var entries: [JobID: Entry] = [:]
        /// Since when the results of jobs wait that still have a slot.
        var waitingSince: [JobID: ContinuousClock.Instant] = [:]
        var withoutSlot: Set<JobID> = []

        mutating func remove(_ job: JobID) {
            entries[job] = nil
            waitingSince[job] = nil
            withoutSlot.remove(job)
        }
    }

    private let state = Mutex(State())
    /// How many may be without a slot: each is tried again and again, and its lease renewed.
    private let mostWithoutSlot: Int

    /// How long a result that waits keeps its slot.
    private static let slotPatience = Duration.seconds(4)
    private static let leastWithoutSlot = 64

    /// - Parameter slots: how many jobs the worker runs at once.
    init(slots: Int = 1) {
        mostWithoutSlot = max(min(slots, 1 << 20) * 4, Self.leastWithoutSlot)
    }

    var count: Int { state.withLock { $0.entries.count } }

    /// Slots that are taken.
    var takenSlots: Int { state.withLock { $0.entries.count - $0.withoutSlot.count } }

    /// The entries, sorted by job.
    var all: [Entry] {
        state.withLock { Array($0.entries.values) }.sorted { $0.job.id < $1.job.id }
    }

    func remove(_ entry: Entry) {
        replace([(entry.job.id, entry.job.lease)], by: [])
    }

    /// Lets jobs go that have ended, and holds others in their place.
    ///
    /// - Returns: those that had no slot any more.
    @discardableResult
    func replace(_ ended: [(id: JobID, lease: Lease)], by next: [Entry]) -> Set<JobID> {
        state.withLock { state in
            // A job given back and claimed again by this same worker stands here under its new lease.
            let gone = ended.filter { state.entries[$0.id]?.job.lease == $0.lease }.map(\.id)
            let slotless = state.withoutSlot.intersection(gone)
            for job in gone { state.remove(job) }
            for entry in next {
                state.remove(entry.job.id)
                state.entries[entry.job.id] = entry
            }
            return slotless
        }
    }

    // MARK: Results that wait

    /// Notes that the result of a job waits for what others have locked, or takes long.
    func resultWaits(_ job: JobID, _ lease: Lease, since: ContinuousClock.Instant) {
        state.withLock { state in
            guard state.entries[job]?.job.lease == lease, !state.withoutSlot.contains(job) else { return }
            state.waitingSince[job] = min(since, state.waitingSince[job] ?? since)
        }
    }

    /// Frees the slots of those whose results have waited for seconds, up to a bound.
    ///
    /// - Returns: whether any has become free.
    func freeSlots() -> Bool {
        let limit = ContinuousClock.now - Self.slotPatience
        return state.withLock { state in
            let before = state.withoutSlot.count
            for (job, since) in state.waitingSince where since <= limit {
                guard state.withoutSlot.count < mostWithoutSlot else { break }
                state.waitingSince[job] = nil
                state.withoutSlot.insert(job)
            }
            return state.withoutSlot.count > before
        }
    }

    /// How soon a slot may become free in that way; nil: no result waits.
    var untilNextFreeSlot: Duration? {
        state.withLock { state in
            state.waitingSince.values.min().map { max($0 + Self.slotPatience - .now, Self.checkInterval) }
        }
    }

    private static let checkInterval = Duration.milliseconds(250)
}
