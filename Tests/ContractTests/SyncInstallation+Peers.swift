import Foundation

@testable import PeerSimulator

extension SyncInstallation {
    // MARK: - Keep

    /// Puts a note into Keep, in place of the one with its id.
    ///
    /// - Parameter modified: ISO 8601, of UTC.
    func note(
        _ id: String,
        title: String? = nil,
        text: String = "Text",
        modified: String = "2026-01-02T03:04:05.123456",
        labels: [String] = [],
        images: [KeepImage] = []
    ) {
        guard let (time, _) = KeepTimestamp.parse(modified) else { preconditionFailure("\(modified) is no time") }
        simulator.noteLibrary.put(
            KeepNote(
                id: id,
                title: title ?? "Title of \(id)",
                content: .text(text),
                created: time,
                modified: time,
                labels: labels,
                images: images
            )
        )
    }

    /// Puts notes `n1`, `n2`, … into Keep, modified a minute after each other.
    func notes(_ count: Int, text: String = "Text") {
        for number in 1...count {
            let minute = number < 10 ? "0\(number)" : "\(number)"
            note("n\(number)", text: text, modified: "2026-01-02T03:\(minute):00")
        }
    }

    /// Changes a note as its owner does, now.
    func edit(_ id: String, text: String = "Edited", title: String? = nil) {
        _ = simulator.noteLibrary.edit(id: id, NoteLibrary.Edit(title: title, text: text))
    }

    /// Lets the next fetch answer these bytes.
    func nextFetch(_ json: String, times: Int = 1) {
        faults(.strike(.notes, .body(code: 200, text: json), times: times))
    }

    // MARK: - Notion

    /// Pages in the order of their creation.
    var pages: [NotionPage] { simulator.pages.pages() }

    /// The pages of a note made by `note(_:)` without a title of its own.
    func pages(of id: String) -> [NotionPage] { simulator.pages.pages(title: "Title of \(id)") }

    // MARK: - Faults

    /// Sets the fault plan, in place of the one before.
    func faults(_ rules: FaultRule...) {
        simulator.faults.replace(with: rules)
    }

    /// Calls that each rule of the plan has matched so far, answered or not.
    var struck: [Int] { simulator.faults.report.map(\.matched) }

    // MARK: - Calls

    /// How often each call was made, whatever came of it.
    struct Calls: Equatable {
        var logins = 0
        var fetches = 0
        var creates = 0
        var updates = 0
    }

    /// Calls since the last `forgetCalls`.
    var calls: Calls {
        let report = simulator.requests.report
        var calls = Calls()
        for (route, statuses) in Array(report.extractor.routes) + Array(report.writer.routes) {
            let count = statuses.values.reduce(0, +)
            if route.hasSuffix("/keep/auth") { calls.logins += count }
            if route.hasSuffix("/keep/notes") { calls.fetches += count }
            if route.hasPrefix("POST /internal/notion") { calls.creates += count }
            if route.hasPrefix("PATCH /internal/notion") { calls.updates += count }
        }
        return calls
    }

    func forgetCalls() { simulator.requests.reset() }

    /// The query string of the last fetch, as it was sent.
    var lastQuery: String { simulator.requests.report.notesQueries.last ?? "" }
}

extension FaultRule {
    /// A fault for calls of one kind, without end unless `times` is given.
    static func strike(
        _ operation: PeerSimulator.Operation,
        _ fault: Fault,
        times: Int? = nil,
        after: Int = 0,
        match: [Criterion: String] = [:]
    ) -> FaultRule {
        FaultRule(
            peer: nil,
            operation: operation,
            match: match,
            probability: 1,
            times: times,
            after: after,
            fault: fault,
            source: .null
        )
    }
}
