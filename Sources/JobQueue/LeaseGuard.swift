import Support

/// This worker's own knowledge of whether it still holds a job, by its monotonic clock.
///
/// The database decides who holds a lease. A worker that was paused, or can't reach the database, does not hear of it;
/// so it counts itself out before the lease can have run out. Nothing may be sent or written once the guard is closed.
public final class LeaseGuard: Sendable {
    /// Why a job was taken from this worker.
    public enum Loss: Sendable, Equatable {
        /// The lease was not renewed in time.
        case expired
        /// The row is no longer ours: cancelled, retried, deleted or rescued.
        case revoked
        /// Its records wait for a lock of somebody else's: the job is put off, and what it has sent is recorded later.
        case heldUp
    }

    private struct State {
        var validUntil: ContinuousClock.Instant
        var isRevoked = false
        var isHeldUp = false
        var whenLost: (@Sendable () -> Void)?
    }

    private let state: Mutex<State>

    public init(validUntil: ContinuousClock.Instant) {
        state = Mutex(State(validUntil: validUntil))
    }

    /// Instant after which nothing may be sent for this job any more.
    public var validUntil: ContinuousClock.Instant {
        state.withLock { $0.validUntil }
    }

    /// How the lease was lost; nil while it is held.
    public var loss: Loss? {
        state.withLock { state in
            if state.isRevoked { return .revoked }
            if state.isHeldUp { return .heldUp }
            return ContinuousClock.now < state.validUntil ? nil : .expired
        }
    }

    /// - Throws: `JobQueueError` with code `leaseLost` once the lease is not held for certain.
    public func check() throws {
        switch loss {
        case nil: return
        case .expired: throw JobQueueError(.leaseLost, "The lease may have run out; this worker stops the job.")
        case .revoked: throw JobQueueError(.leaseLost, "The job was taken from this worker.")
        case .heldUp: throw JobQueueError(.leaseLost, "The job is put off, as a lock holds up its records.")
        }
    }

    func extend(until instant: ContinuousClock.Instant) {
        state.withLock { $0.validUntil = max($0.validUntil, instant) }
    }

    func revoke() {
        state.withLock { $0.isRevoked = true }
        announceLoss()
    }

    /// Lets the job go, as its records wait for a lock of somebody else's: it is to hold up no other job meanwhile.
    public func letGoHeldUp() {
        state.withLock { $0.isHeldUp = true }
        announceLoss()
    }

    /// Has `action` called once when the lease is lost: at once if it is, else by `revoke` or `announceLoss`.
    func whenLost(_ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.whenLost = action }
        announceLoss()
    }

    /// Calls what waits for the loss, if the lease is lost. Time passes without a call; somebody has to look.
    func announceLoss() {
        guard loss != nil else { return }
        let action = state.withLock { state in
            defer { state.whenLost = nil }
            return state.whenLost
        }
        action?()
    }
}
