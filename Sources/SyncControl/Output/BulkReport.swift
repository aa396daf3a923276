import Foundation
import JobQueue
import Support

/// What was done with many jobs, or would be.
struct BulkReport {
    let action: BulkChange.Action
    let selection: BulkSelection
    let isDryRun: Bool
    /// In what time the jobs of a retry come due.
    var time = Duration.zero
    var isInterrupted = false
    private(set) var done: [BulkSelection.Job] = []
    private(set) var outcomes: [BulkOutcome: Int] = [:]

    /// Jobs that a dry run shows.
    static let jobsShown = 20

    init(action: BulkChange.Action, selection: BulkSelection, isDryRun: Bool) {
        (self.action, self.selection, self.isDryRun) = (action, selection, isDryRun)
    }

    mutating func add(_ jobs: [BulkSelection.Job], _ outcomes: [JobID: BulkOutcome]) {
        for job in jobs {
            let outcome = outcomes[job.id] ?? .changed
            self.outcomes[outcome, default: 0] += 1
            if outcome == .done { done.append(job) }
        }
    }

    /// `This retries 41 jobs of 41 users`.
    var intention: String {
        let verb = action == .retry ? "retries" : "cancels"
        return "This \(verb) \(Self.amount(selection.jobs.count, selection.users))\(due)"
    }

    /// What was done, in a sentence.
    var result: String {
        let users = Set(done.map(\.user)).count
        let verb = action == .retry ? "Retried" : "Cancelled"
        guard !done.isEmpty else { return "No job was \(action == .retry ? "retried" : "cancelled")." }
        return "\(verb) \(Self.amount(done.count, users))\(done.count > 1 ? due : "")."
    }

    private static func amount(_ jobs: Int, _ users: Int) -> String {
        "\(Count.of(jobs, "job")) of \(Count.of(users, "user"))"
    }

    private var due: String {
        guard action == .retry, time >= .seconds(1) else { return "" }
        return "; they come due one after the other within \(TimeText.rough(time))"
    }

    /// What was left out and why, a sentence each.
    var leftOut: [String] {
        let busy = selection.busyJobs + (outcomes[.busy] ?? 0)
        let lines: [(Int, String)] = [
            (
                selection.olderJobs,
                "of which a newer one of the same user matches: one run syncs the same notes. --every takes these too"
            ),
            (busy, "whose user has another one queued or running, which syncs the same notes. --every takes these too"),
            (outcomes[.changed] ?? 0, "that others have changed or deleted meanwhile"),
            (
                outcomes[.locked] ?? 0,
                "that another session has locked. Give the command again once its transaction has ended"
            ),
        ]
        return lines.filter { $0.0 > 0 }.map { "Left out: \(Count.of($0.0, "job")) \($0.1)." }
            + (selection.isPartial
                ? ["There are more: \(selection.jobs.count) at once is the most. Give the command again."] : [])
    }

    private var words: String {
        if isDryRun {
            return ([selection.jobs.isEmpty ? nothing : "\(intention). Nothing was changed: --dry-run."] + leftOut)
                .joined(separator: "\n")
        }
        if selection.jobs.isEmpty { return ([nothing] + leftOut).joined(separator: "\n") }
        let left = selection.jobs.count - outcomes.values.reduce(0, +)
        let stop =
            isInterrupted
            ? ["Stopped: \(Count.of(left, "job")) \(left == 1 ? "is" : "are") as before. The same command goes on."]
            : []
        return ([result] + leftOut + stop).joined(separator: "\n")
    }

    private var nothing: String {
        let hint = action == .retry ? "syncctl jobs --status failed" : "syncctl jobs --status queued,running"
        return selection.olderJobs + selection.busyJobs > 0
            ? "No job is left to \(action.rawValue)." : "No job matches. See: \(hint)"
    }

    var json: JSONValue {
        [
            "action": .string(action.rawValue), "is_dry_run": .bool(isDryRun), "is_interrupted": .bool(isInterrupted),
            "found": .int(selection.jobs.count + selection.olderJobs + selection.busyJobs),
            "is_found_partially": .bool(selection.isPartial),
            "chosen": .int(selection.jobs.count), "changed": .int(done.count),
            "due_within_seconds": action == .retry ? .int(Int((time / .seconds(1)).rounded(.up))) : .null,
            "left_out": [
                "older": .int(selection.olderJobs), "busy": .int(selection.busyJobs + (outcomes[.busy] ?? 0)),
                "changed": .int(outcomes[.changed] ?? 0), "locked": .int(outcomes[.locked] ?? 0),
            ],
            "job_ids": .array((isDryRun ? selection.jobs : done).map { .string($0.id.description) }),
        ]
    }

    /// - Throws: `SyncControlError` with code `outputFailed`.
    func print(_ option: JSONOption) throws {
        if option.isWanted { return try json.report(inWords: words) }
        if selection.jobs.isEmpty { return StandardStream.error.note(words) }
        let width = StandardStream.output.width
        let lines = words.split(separator: "\n").flatMap { String($0).wrapped(toWidth: width) }
        try StandardStream.report(lines.joined(separator: "\n"), inWords: words)
    }
}
