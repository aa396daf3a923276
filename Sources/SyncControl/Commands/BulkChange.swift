import ArgumentParser
import Foundation
import JobQueue
import Postgres
import Support

/// The options of a change of many jobs.
struct BulkOptions: ParsableArguments {
    @OptionGroup var filter: JobFilterOptions
    @Flag(name: .customLong("dry-run"), help: "Change nothing; say which jobs it would be.")
    var isDryRun = false
    @Flag(name: .customLong("yes"), help: "Do not ask.")
    var isConfirmed = false
}

/// A change of many jobs, made step by step: found, asked about, made, and said.
struct BulkChange {
    enum Action: String {
        case retry, cancel
    }

    let action: Action
    let options: BulkOptions
    /// Those of the jobs.
    let statuses: [JobStatus]
    /// Whether every job is taken that is found, and not the newest of each user alone.
    var takesEvery = false
    /// In what time the jobs of a retry come due, one after the other; nil: the usual.
    var time: Duration?
    let session: DatabaseSession
    let json: JSONOption

    /// What is looked for at most: who has more jobs to change is to say so once more.
    static let mostJobs = 100_000
    /// Between two jobs of a retry.
    static let usualSpacing = Duration.milliseconds(100)
    /// Between two steps, for whoever else uses the database.
    private static let pause = Duration.milliseconds(20)

    private var isOnePerUser: Bool { action == .retry && !takesEvery }

    /// - Throws: `SyncControlError`: `refused` if the person says no, `usage` where nobody can be asked, `interrupted`;
    ///   `PostgresError`.
    func run() async throws {
        let filters = options.filter.filters(statuses: statuses)
        let selection = try await session.jobs.select(filters, isOnePerUser: isOnePerUser, limit: Self.mostJobs)
        var report = BulkReport(action: action, selection: selection, isDryRun: options.isDryRun)
        report.time = spacing(selection.jobs.count) * Double(max(0, selection.jobs.count - 1))
        if options.isDryRun || selection.jobs.isEmpty {
            try await show(report, selection)
            return
        }
        try confirm(report)
        report = try await StopRequest.noticed { stop in
            try await change(selection, report, until: stop)
        }
        try report.print(json)
        if action == .retry, let first = report.done.first {
            let gates = await session.gates(of: first.user)
            await WaitNotice(jobs: session.jobs).tell([(first.id, gates)])
        }
        if report.isInterrupted { throw ExitStatus.interrupted.code }
        if report.outcomes[.locked] ?? 0 > 0 { throw ExitStatus.failed.code }
    }

    private func spacing(_ count: Int) -> Duration {
        guard action == .retry else { return .zero }
        return time.map { $0 / max(1, count - 1) } ?? Self.usualSpacing
    }

    /// What would be changed, with the first of the jobs for people.
    private func show(_ report: BulkReport, _ selection: BulkSelection) async throws {
        if !json.isWanted, !selection.jobs.isEmpty {
            var jobs: [JobRecord] = []
            for job in selection.jobs.prefix(BulkReport.jobsShown) {
                if let job = try await session.jobs.job(job.id) { jobs.append(job) }
            }
            try await JobTable.load(jobs, session).print()
        }
        try report.print(json)
    }

    private func confirm(_ report: BulkReport) throws {
        if options.isConfirmed { return }
        guard let terminal = Terminal() else {
            throw SyncControlError(
                .usage,
                "\(report.intention). If that is wanted, add --yes; --dry-run says which they are."
            )
        }
        for line in report.leftOut { StandardStream.error.note(line) }
        guard try terminal.confirms("\(report.intention). Go on?") else {
            throw SyncControlError(.refused, "Nothing was changed.")
        }
    }

    /// Step by step; what was done until an error is said before it.
    private func change(
        _ selection: BulkSelection,
        _ found: BulkReport,
        until stop: StopRequest
    ) async throws -> BulkReport {
        var report = found
        var progress = BulkProgress(total: selection.jobs.count)
        defer { progress.end() }
        let spacing = spacing(selection.jobs.count)
        var place = 0
        while place < selection.jobs.count {
            if stop.hasCome {
                report.isInterrupted = true
                return report
            }
            let step = Array(selection.jobs[place..<min(place + JobClient.bulkStep, selection.jobs.count)])
            do {
                let outcomes = try await outcomes(of: step, from: place, spacing: spacing)
                report.add(step, outcomes)
            } catch {
                progress.end()
                StandardStream.error.note("Before the error: \(report.result)")
                throw error
            }
            place += step.count
            progress.show(place)
            if place < selection.jobs.count { try await DeadlineQueue.shared.sleep(for: Self.pause) }
        }
        return report
    }

    private func outcomes(
        of step: [BulkSelection.Job],
        from place: Int,
        spacing: Duration
    ) async throws -> [JobID: BulkOutcome] {
        switch action {
        case .cancel: return try await session.jobs.cancel(step.map(\.id), from: statuses)
        case .retry:
            let jobs = step.enumerated().map { (id: $1.id, delay: spacing * Double(place + $0)) }
            return try await session.jobs.retry(jobs, from: statuses, isOnePerUser: isOnePerUser)
        }
    }
}

/// How far a change of many jobs has come, on a terminal.
private struct BulkProgress {
    let total: Int
    private var isShown = false

    init(total: Int) { self.total = total }

    mutating func show(_ done: Int) {
        guard StandardStream.error.isTerminal, total > JobClient.bulkStep else { return }
        isShown = true
        // Where stderr is closed there is nobody to see it.
        try? StandardStream.error.write("\r\u{1B}[2K\(done) of \(total)")
    }

    mutating func end() {
        guard isShown else { return }
        isShown = false
        StandardStream.error.note("")
    }
}
