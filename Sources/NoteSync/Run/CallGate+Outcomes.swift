internal import FlowControl
internal import JobQueue
internal import Logging
internal import Postgres
internal import Support

/// What came of the calls that have passed a gate.
extension CallGate {
    /// A call has succeeded that began then.
    ///
    /// - Parameter provesPeer: whether that shows that the peer works.
    func callEnded(began: ContinuousClock.Instant, provesPeer: Bool = true, _ context: JobContext) async {
        let now = ContinuousClock.now
        watch.reached(calls.peer)
        if provesPeer { await flow.succeeded(calls.peer, began: began) }
        let isSlow = isWatched && flow.add(now - began, of: calls.peer, behind: calls.paced)
        let slows = state.withLock { state in
            state.underWay -= 1
            state.hasSucceeded = true
            guard isSlow, state.slowedAt.map({ now - $0 > .seconds(60) }) ?? true else { return false }
            state.slowedAt = now
            return true
        }
        flow.callEnds(calls.peer)
        ended.signal()
        if slows { await slow(context, began: began) }
    }

    private func slow(_ context: JobContext, began: ContinuousClock.Instant) async {
        do {
            try await flow.slow(calls.paced, began: began)
        } catch {
            context.logger.debug("A next call that is slow slows the pace.", metadata: ["error": "\(error)"])
        }
    }

    /// A call has failed for a reason that may be the peer's own.
    ///
    /// - Returns: why the job is snoozed, if the peer is out of order; nil if it is the job's own matter.
    func peerFailed(_ failure: PeerFailure) async -> NoteSyncError? {
        if failure.isExplained, await !watch.mayBeOutOfOrder(calls.peer) { return nil }
        let closing = await flow.failed(
            calls.peer,
            caller: calls.caller,
            isUnreached: failure.isUnreached,
            isSilence: failure.isSilence,
            began: failure.began,
            reason: failure.reason
        )
        return closing.map { outOfOrder($0, failure) }
    }

    /// Why a job is snoozed whose call has failed of a peer that is out of order: what the call met, and not what others
    /// did.
    private func outOfOrder(_ closing: FlowControl.Closing, _ failure: PeerFailure) -> NoteSyncError {
        watch.isOutOfOrder(calls.peer, failure, wait: closing.wait)
        return .outOfOrder(
            Self.outOfOrder(closing.gate, because: failure.reason),
            wait: closing.wait,
            gate: closing.gate
        )
    }

    /// Waits until others whose calls fail too have said so, and asks the peer itself if none has.
    ///
    /// - Parameter failure: the last call that failed; nil: none of this job's.
    /// - Returns: why the job is snoozed, if the peer is out of order or out of reach; nil if it is the job's own
    ///   matter.
    func outageAfterSettling(_ context: JobContext, _ failure: PeerFailure) async -> NoteSyncError? {
        let breaker = flow.configuration.breaker
        guard !breaker.isOff else { return nil }
        do {
            try await context.pause(for: breaker.settling)
        } catch {
            // The job ends for another reason.
            return nil
        }
        return await outage(context, failure)
    }

    /// Looks whether others have said that the peer is out of order, and asks it itself if none has.
    ///
    /// - Returns: as ``outageAfterSettling(_:_:)``.
    func outage(_ context: JobContext, _ failure: PeerFailure) async -> NoteSyncError? {
        guard !flow.configuration.breaker.isOff else { return nil }
        do {
            let admission = try await flow.take(0, passing: [GateName(calls.peer)], paced: GateName(calls.peer))
            if case .closed(let closing) = admission, closing.isBroken { return outOfOrder(closing, failure) }
            return try await context.unlessStopped { [calls, watch] in
                await watch.outage(of: calls.peer, caller: calls.caller, failure)
            }
        } catch is PostgresError {
            // What others say is not known: nor is it the job's own fault.
            return .outOfOrder(failure.reason, wait: flow.configuration.breaker.cooldown)
        } catch {
            // The job ends for another reason.
            return nil
        }
    }

    /// A call that began then was answered; that something was wrong with it is no fault of the peer.
    func peerAnswered(began: ContinuousClock.Instant) async {
        watch.reached(calls.peer)
        await flow.succeeded(calls.peer, began: began)
    }

    /// A call has been answered, and not well.
    func callFailed() {
        state.withLock { $0.underWay -= 1 }
        flow.callEnds(calls.peer)
        ended.signal()
    }

    /// A call has not been made after all. Its permits are given back with the next statement: another call that took
    /// them now would go close to the one before.
    func callOff() {
        state.withLock { state in
            if let permits = state.permits, permits.spacing > .zero { state.spare += calls.cost }
            state.underWay -= 1
        }
        flow.callEnds(calls.peer)
        ended.signal()
    }

    /// A call that began then was refused as one too many.
    ///
    /// - Parameter gate: the one to be closed; nil: that of the permits.
    func refused(
        _ gate: GateName? = nil,
        retryAfter: Duration?,
        began: ContinuousClock.Instant,
        reason: String
    ) async {
        let hasSucceeded = state.withLock { state in
            defer { state.hasSucceeded = false }
            return state.hasSucceeded
        }
        let closing = await flow.refuse(
            gate ?? calls.paced,
            asked: retryAfter,
            began: began,
            reason: reason,
            hasSucceeded: hasSucceeded
        )
        if isTooLong(closing) { state.withLock { $0.lastStraw = closing } }
    }

    /// A call that began then was refused by the peer itself, which asks to be left alone: its caller does so, and all
    /// do if it says so to others too.
    func refusedByPeer(
        retryAfter: Duration?,
        began: ContinuousClock.Instant,
        reason: String,
        _ context: JobContext
    ) async {
        await share(GateName(calls.peer), caller: calls.caller, retryAfter: retryAfter, began: began, reason, context)
        await refused(retryAfter: retryAfter.map { min($0, NoteSyncError.longestPause) }, began: began, reason: reason)
    }

    /// A call that began then was refused because the whole workspace has had too much: its caller keeps to that, and
    /// all do whose pages lie there once it is said to another user too.
    ///
    /// - Parameter isMember: whether the caller is known to write there. Anybody can name somebody else's database.
    func refusedByWorkspace(
        _ gates: JobGates,
        isMember: Bool,
        retryAfter: Duration?,
        began: ContinuousClock.Instant,
        reason: String,
        _ context: JobContext
    ) async {
        if isMember {
            await share(gates.workspace, caller: gates.account, retryAfter: retryAfter, began: began, reason, context)
        }
        await refused(retryAfter: retryAfter, began: began, reason: reason)
    }

    /// Tells the others that the gate of all of them has refused a call of one.
    private func share(
        _ gate: GateName,
        caller: GateName,
        retryAfter: Duration?,
        began: ContinuousClock.Instant,
        _ reason: String,
        _ context: JobContext
    ) async {
        do {
            try await flow.refuse(gate, caller: caller, asked: retryAfter, began: began, reason: reason)
        } catch {
            context.logger.debug("That \(gate) has refused is known here alone.", metadata: ["error": "\(error)"])
        }
    }

    /// Gives permits back that nobody uses, at the end of the job. Where that fails they are lost, which delays a next
    /// job by seconds.
    func close(_ context: JobContext) async {
        let (unused, hasSucceeded) = state.withLock { state in
            state.mustAsk = true
            return (state.takeUnused(), state.hasSucceeded)
        }
        guard unused.count > 0 else { return }
        do {
            _ = try await uncancellable { [flow, calls] in
                try await flow.take(0, passing: [], paced: calls.paced, unused: unused, hasSucceeded: hasSucceeded)
            }
        } catch {
            context.logger.debug("Unused permits are lost.", metadata: ["error": "\(error)"])
        }
    }
}
