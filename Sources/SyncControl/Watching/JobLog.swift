import ArgumentParser
import Foundation
import JobQueue
import Postgres
import Support
import UnixSignals

/// The options of `syncctl jobs JOB --log`.
struct JobLogOptions: ParsableArguments {
    @Flag(name: .customLong("log"), help: "Print the whole log of the job, with dates.")
    var isWanted = false
    @Option(
        help: .init("Of the log, the lines of this level and above: info, warning, error.", valueName: "level"),
        transform: LogLevel.argument
    )
    var level: LogLevel?
    @Flag(name: .customLong("follow"), help: "Go on with what is written to the log, until the job has ended.")
    var isFollowed = false

    /// - Parameters:
    ///   - ofJob: whether a job is named.
    ///   - isLimited: whether a number of lines is.
    func validate(ofJob: Bool, isLimited: Bool) throws {
        guard isWanted else {
            guard level == nil, !isFollowed else { throw ValidationError("--level and --follow belong to --log.") }
            return
        }
        guard ofJob else { throw ValidationError("Missing: the job whose log is wanted.") }
        guard !isLimited else { throw ValidationError("--log prints all lines: leave out --limit.") }
    }

    /// The words that lines of the level and above have; nil: any.
    var levels: [String]? {
        level.flatMap { level in
            level == .info ? nil : LogLevel.allCases.filter { $0 >= level }.map { $0.rawValue.uppercased() }
        }
    }
}

/// The level of a line of a job's log.
enum LogLevel: String, CaseIterable, Comparable, Sendable {
    case info, warning, error

    static func argument(_ text: String) throws -> LogLevel {
        if let level = LogLevel(rawValue: text.lowercased()) { return level }
        let words = allCases.map(\.rawValue)
        throw ValidationError(
            "\"\(text.singleLine)\" is no level.\(Likeness.question(text, among: words)) There are: \(words.joined(separator: ", "))."
        )
    }

    static func < (left: LogLevel, right: LogLevel) -> Bool {
        allCases.firstIndex(of: left).map { $0 < (allCases.firstIndex(of: right) ?? 0) } ?? false
    }
}

/// All lines of a job's log, page by page, and those to come.
struct JobLog {
    let id: JobID
    let options: JobLogOptions
    let jobs: JobClient
    let isJSON: Bool

    /// Lines that are read at once.
    private static let page = 1000
    private static let interval = Duration.milliseconds(300)
    /// Numbers of lines are drawn before they are committed: one may appear below others for so long.
    private static let disorder = Duration.seconds(5)

    /// - Throws: `SyncControlError`: `notFound`, or `interrupted` by Ctrl-C while it is followed; `PostgresError`.
    func print() async throws {
        guard options.isFollowed else {
            _ = try await printAll(from: 0, forgetting: [:])
            return
        }
        let signals = await UnixSignalsSequence(trapping: .sigint)
        let isInterrupted = try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await follow()
                return false
            }
            group.addTask {
                for await _ in signals { return true }
                return false
            }
            defer { group.cancelAll() }
            return try await group.next() ?? false
        }
        if isInterrupted { throw SyncControlError.watchedNoLonger(id) }
    }

    private func follow() async throws {
        var read = Progress()
        while true {
            // Asked first: what it has written until its end is read then.
            guard let job = try await jobs.job(id) else { throw SyncControlError.noJob(id) }
            read = try await printAll(from: read.floor, forgetting: read.seen).merged(with: read)
            if job.status.isFinal { return }
            try await DeadlineQueue.shared.sleep(for: Self.interval)
            read.settle(after: Self.disorder)
        }
    }

    /// Prints what stands behind a line but for those that have been printed.
    private func printAll(from floor: Int64, forgetting seen: [Int64: ContinuousClock.Instant]) async throws -> Progress
    {
        var progress = Progress()
        var last = floor
        var isFirst = floor == 0 && seen.isEmpty
        while true {
            let lines = try await jobs.logs(of: id, after: last, levels: options.levels, limit: Self.page)
            if lines.isEmpty, isFirst, try await jobs.job(id) == nil { throw SyncControlError.noJob(id) }
            isFirst = false
            let new = lines.filter { seen[$0.id] == nil }
            if !new.isEmpty { try StandardStream.output.write(try new.map(text).joined()) }
            for line in lines { progress.seen[line.id] = seen[line.id] ?? .now }
            last = lines.last?.id ?? last
            if lines.count < Self.page { return progress }
        }
    }

    private func text(_ line: JobLogLine) throws -> String {
        if isJSON { return try line.json.text() + "\n" }
        let note = line.keepNoteID.map { " [note \($0)]" } ?? ""
        let level = line.level + line.level.blanks(toWidth: 7)
        return "\(TimeText.full(line.time))  \(level)  \(line.message)\(note)".singleLine + "\n"
    }

    /// Which lines have been printed.
    private struct Progress {
        /// All up to this one have been.
        var floor: Int64 = 0
        /// Those behind it, and when.
        var seen: [Int64: ContinuousClock.Instant] = [:]

        func merged(with earlier: Progress) -> Progress {
            var merged = earlier
            merged.seen.merge(seen) { first, _ in first }
            return merged
        }

        /// Forgets lines below which no other can appear any more.
        mutating func settle(after time: Duration) {
            let settled = seen.filter { ContinuousClock.now - $0.value > time }.keys
            guard let highest = settled.max() else { return }
            floor = max(floor, highest)
            seen = seen.filter { $0.key > floor }
        }
    }
}
