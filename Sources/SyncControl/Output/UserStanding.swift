import Foundation
import JobQueue
import NoteSync
import Support

/// How a user's sync stands, for people and for programs.
struct UserStanding {
    let user: UserID
    /// By the database's clock.
    let now: Date
    let jobs: UserJobs
    /// nil: there are none.
    let credentials: CredentialStore.Owner?
    /// Notes that could not be written, those that failed last first; some of them.
    let failingNotes: [FailedNote]
    let failingCount: Int
    let unknownWrites: Int
    let pauses: [Pause]
    /// Those that let no call of the user pass.
    let gates: [ClosedGate]

    private var times: WhyTimes { WhyTimes(now: now) }
    private var holders: [WhyReason.Blocker] { pauses.map(WhyReason.Blocker.init) + gates.map(WhyReason.Blocker.init) }

    var json: JSONValue {
        [
            "user_id": .string(user.rawValue), "fresh_as_of": .time(jobs.isFreshAsOf),
            "last_success": jobs.lastCompleted?.json ?? .null, "last_failure": jobs.lastFailed?.json ?? .null,
            "running": jobs.running?.json ?? .null, "next": jobs.next?.json ?? .null, "queued": .int(jobs.queued),
            "failing_notes": [
                "count": .int(failingCount),
                "first": .array(
                    failingNotes.map { note in
                        [
                            "keep_note_id": .string(note.noteID), "code": .string(note.code),
                            "error": .string(note.error),
                            "last_failed_at": .time(note.lastFailedAt), "job_id": .string(note.jobID.description),
                        ]
                    }
                ),
            ],
            "unknown_writes": .int(unknownWrites),
            "credentials": credentials.map { owner in
                ["updated_at": .time(owner.updatedAt), "notion_database_id": .string(owner.databaseID)]
            } ?? .null,
            "held_by": .array(holders.map(\.json)),
        ]
    }

    /// - Parameter width: columns there are; nil for no bound.
    func text(width: Int?, isColoured: Bool = false) -> String {
        var list = FieldList(indent: 14)
        for (name, value) in fields { list.add(name, value) }
        return list.text(below: verdict, width: width, isColoured: isColoured)
    }

    /// The same, as it is printed on a stream.
    func text(on stream: StandardStream) -> String { text(width: stream.width, isColoured: stream.isColoured) }

    /// One sentence: how fresh it is, and what is wrong.
    private var verdict: String {
        let fresh =
            jobs.isFreshAsOf.map { "is fresh as of \(times.past($0))" }
            ?? "has never been synced, as far as is on record"
        var faults: [String] = []
        if credentials == nil { faults.append("there are no credentials") }
        if let pause = pauses.first { faults.append("\(pause.scope.text) is paused") }
        if let gate = gates.first { faults.append("the gate \(gate.name) lets no call pass") }
        if failingCount > 0 { faults.append("\(Count.of(failingCount, "note")) could not be written") }
        if unknownWrites > 0 { faults.append("\(Count.of(unknownWrites, "write")) may or may not have been made") }
        if let job = jobs.lastFailed, isNewest(job) { faults.append("the last job failed") }
        let words = faults.isEmpty ? "" : "; \(faults.joined(separator: "; "))"
        return "User \(ShellWord.shown(user.rawValue)) \(fresh)\(words).".singleLine
    }

    /// Whether a job that failed ended after the last that completed.
    private func isNewest(_ failed: JobRecord) -> Bool {
        guard let success = jobs.lastCompleted?.completedAt else { return true }
        return failed.completedAt.map { $0 > success } ?? false
    }

    private var fields: [(String, String)] {
        var fields = [
            ("last success", jobs.lastCompleted.map(completed) ?? "none on record"),
            ("running", jobs.running.map(running) ?? "nothing"),
            ("next due", next),
        ]
        if let job = jobs.lastFailed {
            let at = job.completedAt.map { " at \(times.past($0))" } ?? ""
            fields.append(("last failure", "job \(job.id)\(at): \(job.errorMessage ?? "no reason is recorded")"))
        }
        fields.append(("failing", failing))
        for note in failingNotes {
            fields.append(("", "note \(ShellWord.shown(note.noteID)), \(note.reason.why): \(note.error)"))
        }
        let unknownList = user.shellCommand(withOption: "syncctl unknown list")
        let unknown = unknownWrites == 0 ? "no write" : "\(Count.of(unknownWrites, "write")); see: \(unknownList)"
        fields.append(("unknown", unknown))
        fields.append(("credentials", stored))
        fields += holders.map { ("held by", $0.text) }
        return fields
    }

    private func completed(_ job: JobRecord) -> String {
        let at = job.completedAt.map(times.past) ?? "at an unknown time"
        let failed = job.failedNotes > 0 ? ", \(job.failedNotes) failed" : ""
        return "\(at), job \(job.id): \(Count.of(job.processedNotes, "note")) processed\(failed)"
    }

    private func running(_ job: JobRecord) -> String {
        let since = job.startedAt.map { " since \(times.past($0))" } ?? ""
        return "job \(job.id) on \(job.worker ?? "no worker")\(since), notes \(job.notes)"
    }

    private var next: String {
        guard let job = jobs.next else {
            return jobs.isPartial ? "nothing is queued among the newest \(UserJobs.mostRead) jobs" : "nothing is queued"
        }
        let due = job.runAt <= now ? "since \(times.past(job.runAt))" : "at \(times.coming(job.runAt))"
        let more = jobs.queued > 1 ? "; \(jobs.queued) are queued" : ""
        return "\(due), job \(job.id)\(more); see: syncctl why \(job.id)"
    }

    private var failing: String {
        guard failingCount > 0 else { return "no note" }
        let more = failingCount > failingNotes.count ? ", the last of them" : ""
        return "\(Count.of(failingCount, "note")); see: \(user.shellCommand(withOption: "syncctl failed list"))\(more)"
    }

    private var stored: String {
        guard let owner = credentials else {
            return "none; store them with: \(user.shellCommand("syncctl credentials set", "--database-id ID"))"
        }
        let changed = owner.isBindingCleared ? "; changed by something other than syncctl" : ""
        return "stored \(times.past(owner.updatedAt)), for database \(owner.databaseID)\(changed)"
    }
}
