import FlowControl
import Foundation
import JobQueue
import Support

/// The live screen as lines, for a terminal of any size.
struct TopScreen {
    let state: TopState?
    /// Why the database could not be asked the last time; nil: it was.
    let fault: String?
    let interval: Duration
    let columns: Int
    let rows: Int
    let isColoured: Bool

    /// A line and how it stands out.
    struct Line {
        let text: String
        var style: Style?
    }

    /// Columns from which on more is shown of each job and worker.
    private static let wide = 120

    private var isWide: Bool { columns >= Self.wide }

    /// At most as many as the terminal has rows, each within its columns.
    var lines: [String] {
        let head = head
        var lines = head
        if let state {
            let sections = sections(of: state)
            let room = max(0, rows - head.count)
            for (section, share) in zip(sections, Self.shares(of: sections.map { $0.rows.count + 2 }, in: room)) {
                lines += section.lines(atMost: share)
            }
        }
        return lines.prefix(max(1, rows)).map { line in
            let text = line.text.singleLine.truncated(toWidth: columns)
            return isColoured ? line.style?.applied(to: text) ?? text : text
        }
    }

    /// So many rows for each that wants some: what one leaves goes to the others.
    static func shares(of wanted: [Int], in room: Int) -> [Int] {
        var shares = wanted.map { _ in 0 }
        var room = room
        while room > 0,
            let next = wanted.indices.filter({ shares[$0] < wanted[$0] }).min(by: { shares[$0] < shares[$1] })
        {
            shares[next] += 1
            room -= 1
        }
        return shares
    }

    // MARK: Head

    private var head: [Line] {
        let time = state.map { TimeText.full($0.now) } ?? "asking the database"
        var lines = [Line(text: "syncctl top  \(time)  every \(TimeText.rough(interval))  q quits", style: .bold)]
        if let fault { lines += wrapped("! \(fault)", .red) }
        guard let state else { return lines }
        lines += warnings(state).flatMap { wrapped("! \($0)", .yellow) }
        for (name, text) in [("queue", queue(state)), ("workers", workers(state)), ("rates", rates(state))] {
            let parts = text.wrapped(toWidth: max(20, columns - Self.indent))
            lines += parts.enumerated().map { place, part in
                let label = place == 0 ? name : ""
                return Line(text: label + label.blanks(toWidth: Self.indent) + part)
            }
        }
        return lines
    }

    /// Columns of the names in the head.
    private static let indent = 9

    private func wrapped(_ text: String, _ style: Style) -> [Line] {
        text.singleLine.wrapped(toWidth: columns, hanging: "  ").map { Line(text: $0, style: style) }
    }

    /// What keeps every job, or many.
    private func warnings(_ state: TopState) -> [String] {
        let present = state.workers.filter { !$0.isSilent }
        var warnings: [String] = []
        if present.isEmpty { warnings.append("No worker is running: sync-worker") }
        if !present.isEmpty, state.workers.allClaimsFailingSince != nil {
            warnings.append("The database refuses the claims or results of all workers; see their logs")
        }
        if !present.isEmpty, state.workers.allClaimsHeldSince != nil {
            warnings.append("All workers hold their claims; see syncctl gates")
        }
        warnings += state.pauses.map { "No job begins: \($0.text)" }
        return warnings
    }

    private static func count(_ number: Int) -> String {
        number >= QueueOverview.mostCounted ? "more than 10000" : "\(number)"
    }

    private func queue(_ state: TopState) -> String {
        let queue = state.queue
        let oldest =
            queue.oldestDueAt.map { " (oldest \(TimeText.rough(.seconds(state.now.timeIntervalSince($0)))))" } ?? ""
        let users = state.pausedUsers > 0 ? ", \(Count.of(state.pausedUsers, "user")) paused" : ""
        return "due \(Self.count(queue.due))\(oldest), later \(Self.count(queue.later - queue.gated)), "
            + "gated \(Self.count(queue.gated)), behind \(Self.count(queue.parked)), running \(Self.count(queue.running))\(users)"
    }

    private func workers(_ state: TopState) -> String {
        let present = state.workers.filter { !$0.isSilent }
        let gone = state.workers.count - present.count
        let dead = gone > 0 ? ", \(gone) silent or dead" : ""
        let useful = state.useful.map { "; the backlog can use \($0.isAtLeast ? "at least " : "")\($0.workers)" } ?? ""
        return "\(present.count) alive\(dead); \(present.map(\.running).reduce(0, +)) of "
            + "\(Count.of(present.map(\.slots).reduce(0, +), "slot")) taken\(useful)"
    }

    private func rates(_ state: TopState) -> String {
        func text(_ ended: JobRates.Ended, _ minutes: Double) -> String {
            String(format: "%.1f", Double(ended.completed + ended.failed) / minutes)
        }
        let rates = state.rates
        let failed = rates.hour.failed
        return
            "jobs/min \(text(rates.minute, 1)), \(text(rates.tenMinutes, 10)) in 10 min, \(text(rates.hour, 60)) in 1 h; "
            + "\(failed) failed in 1 h; \(WorkerRuns.rate(state.notesPerSecond))"
    }

    // MARK: Sections

    private struct Section {
        let title: String
        /// Below the title.
        let header: String
        let rows: [Line]

        func lines(atMost most: Int) -> [Line] {
            let head = [Line(text: ""), Line(text: header, style: .bold)]
            if head.count + rows.count <= most { return head + rows }
            let shown = most - head.count - 1
            if shown > 0 {
                return head + rows.prefix(shown)
                    + [Line(text: "  … and \(rows.count - shown) more \(title)", style: .dim)]
            }
            return most < 2 ? [] : [Line(text: ""), Line(text: "\(title): \(rows.count)", style: .bold)]
        }
    }

    private func sections(of state: TopState) -> [Section] {
        [gates(state), running(state), workerRows(state), failures(state)].filter { !$0.rows.isEmpty }
    }

    private func section(_ title: String, _ table: TextTable, styles: [Style?]) -> Section {
        let lines = table.lines(width: nil, isColoured: false)
        return Section(
            title: title,
            header: lines.first ?? "",
            rows: zip(lines.dropFirst(), styles).map { Line(text: $0, style: $1) }
        )
    }

    private func gates(_ state: TopState) -> Section {
        var table = TextTable([.init(title: "GATE"), .init(title: "STATE"), .init(title: "OPENS"), .init(title: "WHY")])
        for gate in state.gates {
            let why = gate.openedAt == nil ? gate.reason : gate.openedReason
            table.add(gate.name.rawValue, gate.state, gate.opening, why ?? "")
        }
        return section("gates", table, styles: state.gates.map { Style.ofState($0.state) })
    }

    private func running(_ state: TopState) -> Section {
        var columns: [TextTable.Column] = [
            .init(title: "RUNNING"), .init(title: "NOTES", alignment: .right), .init(title: "RATE", alignment: .right),
            .init(title: "TIME", alignment: .right), .init(title: "PROGRESS"), .init(title: "LEASE", alignment: .right),
        ]
        if isWide { columns += [.init(title: "FAILED", alignment: .right), .init(title: "WORKER")] }
        var table = TextTable(columns + [.init(title: "USER")])
        let runs = state.runs.sorted { ($0.job.startedAt ?? state.now) < ($1.job.startedAt ?? state.now) }
        for run in runs {
            let elapsed = run.job.startedAt.map { TimeText.clock(.seconds(state.now.timeIntervalSince($0))) }
            let stuck = run.stuckSince(now: state.now).map {
                "stuck \(TimeText.rough(.seconds(state.now.timeIntervalSince($0))))"
            }
            let progress = run.lastProgressAt.map { TimeText.relative($0, to: state.now) }
            let cells = [
                isWide ? run.job.id.description : String(run.job.id.description.prefix(8)), run.job.notes,
                run.notesPerSecond(now: state.now).map { String(format: "%.1f/s", $0) } ?? "", elapsed ?? "",
                stuck ?? progress ?? "",
                run.isLeaseOver ? "over" : TimeText.rough(.seconds(run.leaseEndsAt.timeIntervalSince(state.now))),
            ]
            let more = isWide ? ["\(run.job.failedNotes)", run.job.worker ?? ""] : []
            table.add(cells + more + [run.job.userID.rawValue])
        }
        let styles = runs.map { $0.stuckSince(now: state.now) == nil ? nil : Style.yellow }
        return section("running", table, styles: styles)
    }

    private func workerRows(_ state: TopState) -> Section {
        var columns: [TextTable.Column] = [
            .init(title: "WORKER"), .init(title: "STATE"), .init(title: "BUSY", alignment: .right),
            .init(title: "SLOTS", alignment: .right), .init(title: "SEEN"),
        ]
        if isWide { columns += [.init(title: "STARTED"), .init(title: "VERSION")] }
        var table = TextTable(columns)
        // Who lives comes first: the dead stay on the list for an hour.
        let workers = state.workers.filter { !$0.isSilent } + state.workers.filter(\.isSilent)
        for worker in workers {
            let cells = [
                worker.label(among: state.workers), worker.state, "\(worker.busy)", "\(worker.slots)",
                "\(TimeText.rough(worker.silence)) ago",
            ]
            table.add(cells + (isWide ? [TimeText.full(worker.startedAt), worker.version] : []))
        }
        return section("workers", table, styles: workers.map { $0.isSilent ? Style.ofState($0.state) : nil })
    }

    private func failures(_ state: TopState) -> Section {
        var table = TextTable([
            .init(title: "FAILED IN 1 H", alignment: .right), .init(title: "USERS", alignment: .right),
            .init(title: "LATEST"), .init(title: "CAUSE"), .init(title: "ERROR"),
        ])
        for cause in state.failures {
            table.add(
                "\(cause.count)",
                "\(cause.users)",
                TimeText.relative(cause.latestAt, to: state.now),
                cause.key,
                cause.error
            )
        }
        return section("causes of failures", table, styles: state.failures.map { _ in .red })
    }
}
