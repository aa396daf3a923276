import JobQueue

/// What of the status page says that jobs are paused, and why. Nothing where none are.
enum PauseSection {
    static func html(_ pauses: [Pause]) -> HTML {
        guard !pauses.isEmpty else { return "" }
        let rows = pauses.map { pause -> HTML in
            """
            <tr><td data-label="Paused">\(subject(pause.scope))</td>\
            <td data-label="Since">\(TimeText.spaced(pause.pausedAt))</td>\
            <td data-label="Until">\(pause.pausedUntil.map(TimeText.spaced) ?? "it is resumed")</td>\
            <td data-label="By">\(pause.pausedBy)</td><td data-label="Reason" dir="auto">\(pause.reason)</td></tr>
            """
        }
        return """
            <section aria-labelledby="pauses"><h2 id="pauses">Paused</h2>
            <table><thead><tr><th>Jobs</th><th>Since (UTC)</th><th>Until (UTC)</th><th>By</th><th>Reason</th></tr></thead>
            <tbody>\(rows.joined())</tbody></table></section>
            """
    }

    private static func subject(_ scope: PauseScope) -> String {
        switch scope {
        case .all: "all"
        case .peer(let name): "all, because of \(name)"
        case .user(let user): "of \(JobText.masked(user))"
        }
    }
}
