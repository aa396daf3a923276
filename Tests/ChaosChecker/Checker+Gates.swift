extension Checker {
    /// Permits that a request to the writer costs.
    private static let cost = 2
    /// How far ahead permits are given away at most, and those that are taken at once.
    private static let horizon = 60.0
    private static let batch = 12.0

    /// Whoever was told to wait has waited by now, and every peer has answered since it was out of order: all users
    /// have been synced once more after the last fault.
    func gatesLeftClosed() -> [Violation] {
        history.gates.filter { $0.closedFor > 0 || $0.isBroken }.map { gate in
            let state = gate.isBroken ? "out of order" : "closed for \(Int(gate.closedFor)) s more"
            return Violation(.gateLeftClosed, "\(gate.gate) is \(state) though every fault is over")
        }
    }

    /// No note is sent without its permits. A worker that dies takes some with it, so there may be more of them. The
    /// probe of a peer that was out of order, which carries no note, goes alone and takes none.
    ///
    /// Let pass: fewer where a server was lost that knew of more, or has crashed: what it knew of permits in its last
    /// moment it had not flushed, three rounds of the WAL writer at most (`wal_writer_delay`, 200 ms).
    func wrongPermits() -> [Violation] {
        guard history.arrangement.pace > 0 else { return [] }
        let permits = history.gates.reduce(0) { $0 + $1.permits }
        let needed = history.sends.count { $0.text != nil } * Self.cost
        var found: [Violation] = []
        let crashes = history.disturbances.count { $0.worker == nil }
        let unflushed = Int(Self.batch + 0.6 * history.arrangement.pace)
        let forgotten = crashes * history.gates.count { $0.permits > 0 } * unflushed
        if permits + forgotten < needed, history.failovers.isEmpty {
            found.append(Violation(.permitsWrong, "\(permits) permits were taken for requests that cost \(needed)"))
        }
        let limit = Self.horizon + Self.batch / history.arrangement.pace
        found += history.gates.filter { $0.ahead > limit }.map {
            Violation(.permitsWrong, "the permits of \($0.gate) are given away for \(Int($0.ahead)) s")
        }
        return found
    }
}
