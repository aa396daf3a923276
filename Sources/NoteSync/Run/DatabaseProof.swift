internal import Support

/// Whether the user's Notion database has proved reachable in this job.
///
/// A page that "could not be found" may be gone, or all pages may no longer be shared. Creating pages anew on that word
/// alone would double all of a user's pages after one change of permissions. So the first such note tries alone, and
/// the others wait for what it finds: if the database is gone too, the job ends there.
final class DatabaseProof: Sendable {
    private enum State {
        case unproven
        case trying(waiters: [CheckedContinuation<Void, Never>])
        case proven
    }

    private let state = Mutex(State.unproven)

    /// A page was created or updated.
    func proved() {
        release { $0 = .proven }
    }

    /// Runs one create in place of a page that is gone: alone, if nothing is proven yet.
    ///
    /// - Parameter create: returns whether the database was reached.
    func whileTrying(_ create: () async throws -> Bool) async rethrows {
        await turn()
        var isProven = false
        defer {
            release { state in if isProven { state = .proven } else if case .trying = state { state = .unproven } }
        }
        isProven = try await create()
    }

    /// Waits until the database is proven, or until it is this one's turn to try.
    private func turn() async {
        while true {
            let mayGo: Bool = state.withLock { state in
                switch state {
                case .proven: return true
                case .trying: return false
                case .unproven:
                    state = .trying(waiters: [])
                    return true
                }
            }
            if mayGo { return }
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard case .trying(let waiters) = state else { return true }
                    state = .trying(waiters: waiters + [continuation])
                    return false
                }
                if isOver { continuation.resume() }
            }
        }
    }

    private func release(_ change: (inout State) -> Void) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard case .trying(let waiters) = state else {
                if case .unproven = state { change(&state) }
                return []
            }
            change(&state)
            if case .trying = state { return [] }
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
