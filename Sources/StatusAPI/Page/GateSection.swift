import FlowControl

/// What of the status page says that calls of the peers are kept back, and why. Nothing where none are.
enum GateSection {
    static func html(_ gates: [GateRecord]) -> HTML {
        guard !gates.isEmpty else { return "" }
        func both(_ broken: String?, _ closed: String?) -> String {
            [broken, closed].compactMap(\.self).joined(separator: "; ")
        }
        let rows = gates.map { gate -> HTML in
            let since = (gate.brokenSince ?? gate.closedAt).map(TimeText.spaced) ?? ""
            let isClosed = gate.closedFor > .zero
            let closed = "kept back, for \(DurationText.brief(gate.closedFor)) more"
            let broken = "out of order, \(gate.isProbed ? "being probed" : "until a probe succeeds")"
            let state = gate.openedAt == nil ? closed : isClosed ? "out of order, and \(closed)" : broken
            let isBroken = gate.openedAt != nil
            let by = both(isBroken ? gate.openedBy : nil, isClosed ? gate.closedBy : nil)
            let reason = both(isBroken ? gate.openedReason : nil, isClosed ? gate.reason : nil)
            return """
                <tr><td data-label="Calls of">\(whose(gate.name))</td><td data-label="State">\(state)</td>\
                <td data-label="Since">\(since)</td><td data-label="By">\(by)</td>\
                <td data-label="Reason" dir="auto">\(reason)</td></tr>
                """
        }
        return """
            <section aria-labelledby="gates"><h2 id="gates">Kept back</h2>
            <table><thead><tr><th>Calls of</th><th>State</th><th>Since (UTC)</th><th>By</th><th>Reason</th></tr></thead>
            <tbody>\(rows.joined())</tbody></table></section>
            """
    }

    /// `Notion Writer`, or `Notion Writer, a token`: whose it is nobody can tell.
    private static func whose(_ gate: GateName) -> String {
        let peer = gate.peer?.name ?? gate.rawValue
        return switch gate.scope {
        case .peer: peer
        case .token: "\(peer), one token"
        case .account: "\(peer), one account"
        case .workspace: "\(peer), one workspace"
        }
    }
}
