import Dispatch

extension PostgresConnection {
    /// How long the server has to answer a request to cancel before the connection is ended.
    static var cancelGrace: Duration { .seconds(5) }

    /// A timer that interrupts the exchange when its time is over, nil if it has no bound.
    func startTimer(for id: UInt64, timeout: QueryTimeout) -> DispatchWorkItem? {
        let bound: Duration? =
            switch timeout {
            case .configured: configuration.queryTimeout
            case .none: nil
            case .after(let duration): duration
            }
        guard let bound else { return nil }
        return schedule(after: bound) { $0.interrupt(id, .timedOut(bound)) }
    }

    /// Asks for an interruption from outside the connection's executor.
    nonisolated func requestInterruption(of id: UInt64, _ interruption: Exchange.Interruption) {
        executor.queue.async { [weak self] in
            self?.assumeIsolated { $0.interrupt(id, interruption) }
        }
    }

    /// Asks the server to cancel the statement; the exchange ends by the server's answer, or by the end of the grace.
    private func interrupt(_ id: UInt64, _ interruption: Exchange.Interruption) {
        guard exchange?.id == id, exchange?.interruption == nil, let token = handle?.cancelToken else { return }
        exchange?.interruption = interruption
        exchange?.isCancelRequestUnderWay = true
        // On a queue of its own, as it opens a connection and blocks.
        DispatchQueue(label: "postgres.cancel").async {
            token.send()
            self.executor.queue.async { self.assumeIsolated { $0.cancelRequestDidEnd(id) } }
        }
        _ = schedule(after: Self.cancelGrace) { $0.abandon(id) }
    }

    private func cancelRequestDidEnd(_ id: UInt64) {
        guard exchange?.id == id else { return }
        exchange?.isCancelRequestUnderWay = false
        exchange?.cancelWaiter?.resume()
        exchange?.cancelWaiter = nil
    }

    /// Waits until a request to cancel has ended: one that came late would hit the next statement.
    func cancelRequestEnded() async {
        while let exchange, exchange.isCancelRequestUnderWay, !exchange.isAbandoned {
            await withCheckedContinuation { self.exchange?.cancelWaiter = $0 }
        }
    }

    /// Ends a connection whose server did not answer in time.
    private func abandon(_ id: UInt64) {
        guard exchange?.id == id else { return }
        exchange?.isAbandoned = true
        socket?.shutDown()
        exchange?.cancelWaiter?.resume()
        exchange?.cancelWaiter = nil
    }

    /// Runs `action` on the connection's executor after a time, unless the item is cancelled first.
    func schedule(
        after delay: Duration,
        _ action: @escaping @Sendable (isolated PostgresConnection) -> Void
    ) -> DispatchWorkItem {
        let item = DispatchWorkItem { [weak self] in
            self?.assumeIsolated { action($0) }
        }
        let (seconds, attoseconds) = delay.components
        let time = DispatchTime.now() + .seconds(Int(seconds)) + .nanoseconds(Int(attoseconds / 1_000_000_000))
        executor.queue.asyncAfter(deadline: time, execute: item)
        return item
    }
}
