import Dispatch
import Logging
import Support

extension PostgresConnection {
    /// How long a statement may go on after a request to cancel before the next request.
    static var cancelRepetition: Duration { .milliseconds(100) }

    /// Asks for an interruption from outside the connection's executor.
    nonisolated func requestInterruption(of id: UInt64, _ interruption: Exchange.Interruption) {
        executor.queue.async { [weak self] in
            self?.assumeIsolated { $0.interrupt(id, interruption) }
        }
    }

    /// Asks the server to cancel the statement; the exchange ends by the server's answer, or by the end of the grace.
    private func interrupt(_ id: UInt64, _ interruption: Exchange.Interruption) {
        guard exchange?.id == id, exchange?.interruption == nil else { return }
        exchange?.interruption = interruption
        exchange?.end = .now + (doubt == nil ? configuration.cancelGrace : .zero)
        sendCancelRequest()
    }

    private func sendCancelRequest() {
        guard let exchange, let end = exchange.end, let token = handle?.cancelToken else { return }
        self.exchange?.isCancelRequestUnderWay = true
        setDeadline(Exchange.Deadline(at: end, .abandon))
        // On a queue of its own, as it opens a connection and blocks.
        DispatchQueue(label: "postgres.cancel").async {
            token.send()
            self.executor.queue.async { self.assumeIsolated { $0.cancelRequestDidEnd(exchange.id) } }
        }
    }

    private func cancelRequestDidEnd(_ id: UInt64) {
        guard exchange?.id == id, let end = exchange?.end else { return }
        exchange?.isCancelRequestUnderWay = false
        exchange?.cancelWaiter?.resume()
        exchange?.cancelWaiter = nil
        // A request that overtakes its statement cancels nothing, so it is repeated as long as the statement runs.
        let next = min(ContinuousClock.now + Self.cancelRepetition, end)
        setDeadline(Exchange.Deadline(at: next, next < end ? .cancelAgain : .abandon))
    }

    /// Waits until a request to cancel has ended: one that came late would hit the next statement.
    func cancelRequestEnded() async {
        while let exchange, exchange.isCancelRequestUnderWay, !exchange.isAbandoned {
            await withCheckedContinuation { self.exchange?.cancelWaiter = $0 }
        }
    }

    /// Ends a connection whose server did not answer in time.
    func abandon() {
        exchange?.isAbandoned = true
        socket?.shutDown()
        socketBecameReady()
        exchange?.cancelWaiter?.resume()
        exchange?.cancelWaiter = nil
    }
}

/// Deadlines. A connection has one alarm set at a time, however many statements it runs: an alarm that comes too early
/// for the exchange it finds is set anew.
extension PostgresConnection {
    /// The deadline of a statement, nil if it has no bound.
    func deadline(for timeout: QueryTimeout) -> Exchange.Deadline? {
        let bound: Duration? =
            switch timeout {
            case .configured: configuration.queryTimeout
            case .none: nil
            case .after(let duration): duration
            }
        return bound.map { Exchange.Deadline(after: $0, .interrupt($0)) }
    }

    func setDeadline(_ deadline: Exchange.Deadline) {
        exchange?.deadline = deadline
        if let alarm, alarm.time <= deadline.time { return }
        setAlarm(at: deadline.time)
    }

    private func setAlarm(at time: ContinuousClock.Instant) {
        clearAlarm()
        alarm = DeadlineQueue.shared.schedule(at: time) { [weak self] in
            guard let self else { return }
            executor.queue.async { self.assumeIsolated { $0.alarmWentOff(time) } }
        }
    }

    func clearAlarm() {
        if let alarm { DeadlineQueue.shared.cancel(alarm) }
        alarm = nil
    }

    private func alarmWentOff(_ time: ContinuousClock.Instant) {
        // Otherwise an earlier alarm has been set since.
        guard alarm?.time == time else { return }
        alarm = nil
        guard let exchange, let deadline = exchange.deadline else { return }
        guard deadline.time <= .now else {
            setAlarm(at: deadline.time)
            return
        }
        switch deadline.consequence {
        case .interrupt(let timeout): interrupt(exchange.id, .timedOut(timeout))
        case .cancelAgain: sendCancelRequest()
        case .abandon: abandon()
        case .endWait: endWait(exchange.id)
        }
    }
}

/// Connections of which it is doubted that the server still hears them: others of their age went silent, or they have
/// rested for long.
extension PostgresConnection {
    /// Has the server answer the statement under way, and the next ones, within `limit` of their beginning; else the
    /// connection is ended. The first answer restores trust.
    nonisolated func distrust(limit: Duration) {
        executor.queue.async { [weak self] in
            self?.assumeIsolated { connection in
                connection.doubt = limit
                connection.boundByDoubt()
            }
        }
    }

    /// Whether the server answers within `limit`; if it does not, the connection is ended.
    func isAnswered(within limit: Duration) async -> Bool {
        doubt = limit
        do {
            try await execute(.ping())
            return true
        } catch {
            logger.debug("A connection that has rested is not used again", metadata: ["error": "\(error)"])
            return false
        }
    }

    func boundByDoubt() {
        guard let doubt, let exchange, exchange.interruption == nil else { return }
        let end = max(exchange.beganAt + doubt, .now)
        if let deadline = exchange.deadline, deadline.time <= end { return }
        setDeadline(Exchange.Deadline(at: end, .interrupt(doubt)))
    }
}
