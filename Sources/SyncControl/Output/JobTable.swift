import FlowControl
import Foundation
import JobQueue
import ServiceHealth
import Support

/// A list of jobs for people.
///
/// On a terminal it is made for 80 columns: ages for times, short identifiers, and what went wrong on a line below its
/// job. Elsewhere each job is one line with everything in it.
struct JobTable {
    let jobs: [JobRecord]
    /// By the database's clock.
    let now: Date
    /// What those wait for that have not ended.
    var waits: [JobID: JobWait] = [:]
    /// Identifiers as far as they tell a job from all others.
    var shortIDs: [JobID: String] = [:]

    /// Columns from which on identifiers are shown whole on a terminal.
    private static let wideTerminal = 120

    /// The table of these jobs, with what the database knows of each.
    ///
    /// - Throws: `PostgresError`.
    static func load(_ jobs: [JobRecord], _ session: DatabaseSession) async throws -> JobTable {
        JobTable(
            jobs: jobs,
            now: try await session.jobs.databaseTime(),
            waits: try await session.jobs.waits(of: jobs, behind: Peer.gates),
            shortIDs: StandardStream.output.isTerminal ? try await session.jobs.shortIDs(of: jobs.map(\.id)) : [:]
        )
    }

    /// - Throws: `SyncControlError` with code `outputFailed`.
    func print() throws {
        try StandardStream.output.write(text(on: .output))
    }

    func text(width: Int?, isColoured: Bool = false) -> String {
        (width.map(narrow) ?? wide()).text(width: width, isColoured: isColoured)
    }

    /// The same, as it is printed on a stream.
    func text(on stream: StandardStream) -> String { text(width: stream.width, isColoured: stream.isColoured) }

    private func narrow(_ width: Int) -> TextTable {
        // Of jobs that have ended nothing is due, and they wait for nothing.
        let isAnyOpen = jobs.contains { !$0.status.isFinal }
        var columns: [TextTable.Column] = [
            .init(title: "JOB"), .init(title: "STATUS", style: Style.ofState), .init(title: "NOTES", alignment: .right),
            .init(title: "AGE", alignment: .right),
        ]
        if isAnyOpen { columns.append(.init(title: "DUE")) }
        columns.append(.init(title: "USER"))
        if isAnyOpen { columns.append(.init(title: "WAITS FOR", minimumWidth: 16)) }
        var table = TextTable(columns)
        for job in jobs {
            let failed = "\(Count.of(job.failedNotes, "note")) failed"
            let remarks = [job.failedNotes > 0 ? failed : nil, job.putOff, job.shownError(near: now)].compactMap(\.self)
            let id = width < Self.wideTerminal ? shortIDs[job.id] : nil
            table.add(
                [id ?? job.id.description, job.status.rawValue, job.notes, age(job)] + (isAnyOpen ? [due(job)] : [])
                    + [job.userID.rawValue] + (isAnyOpen ? [waitText(job)] : []),
                remarks: [remarks.isEmpty ? nil : "! \(remarks.joined(separator: "; "))"]
            )
        }
        return table
    }

    private func wide() -> TextTable {
        var table = TextTable([
            .init(title: "JOB"), .init(title: "STATUS", style: Style.ofState), .init(title: "NOTES", alignment: .right),
            .init(title: "FAILED", alignment: .right), .init(title: "CREATED"), .init(title: "DUE"),
            .init(title: "USER"), .init(title: "WAITS FOR"), .init(title: "ERROR"),
        ])
        for job in jobs {
            table.add(
                job.id.description,
                job.status.rawValue,
                job.notes,
                "\(job.failedNotes)",
                TimeText.full(job.createdAt),
                due(job),
                job.userID.rawValue,
                waitText(job),
                [job.putOff, job.shownError()].compactMap(\.self).joined(separator: "; ")
            )
        }
        return table
    }

    private func age(_ job: JobRecord) -> String {
        TimeText.rough(.seconds(now.timeIntervalSince(job.createdAt)))
    }

    /// `in 5 min`, `12 min ago`; empty for what is not queued.
    private func due(_ job: JobRecord) -> String {
        job.status == .queued ? TimeText.relative(job.runAt, to: now) : ""
    }

    private func waitText(_ job: JobRecord) -> String {
        waits[job.id].map { $0.text(short: shortIDs) } ?? ""
    }
}
