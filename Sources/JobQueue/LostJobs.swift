import Support

/// Jobs that were taken from this worker while their handlers still hear out what they have sent. They take no slot:
/// whoever cancels jobs whose calls hang, for whatever reason, holds up nobody else.
final class LostJobs: Sendable {
    private struct Entry {
        let user: UserID
        let abort: StopSignal
    }

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var nextID: UInt64 = 0
    }

    private let state = Mutex(State())
    private let ended: Wakeup

    /// So many of one user, and the next job of that user has to wait: what is heard out is bounded.
    private static let most = 2

    /// - Parameter ended: is signalled when a handler has returned.
    init(ended: Wakeup) {
        self.ended = ended
    }

    var count: Int { state.withLock { $0.entries.count } }

    /// Whether no further job of the user is to begin here for now.
    func isFull(for user: UserID) -> Bool {
        state.withLock { state in state.entries.values.count { $0.user == user } >= Self.most }
    }

    func add(_ context: JobContext, _ work: Task<Void, Never>) {
        let id = state.withLock { state in
            state.nextID += 1
            state.entries[state.nextID] = Entry(user: context.job.userID, abort: context.abort)
            return state.nextID
        }
        Task {
            await work.value
            state.withLock { _ = $0.entries.removeValue(forKey: id) }
            ended.signal()
        }
    }

    /// Cuts them short, as the process ends.
    func abort() {
        for entry in state.withLock({ Array($0.entries.values) }) { entry.abort.request() }
    }
}
