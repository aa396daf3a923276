import Foundation
import JobQueue
import NoteSync
import Support

/// What is on record of one note, for people and for programs.
struct NoteAccount {
    let user: UserID
    let note: String
    let life: NoteLife
    /// Its write of unknown outcome, as it is listed; nil: it has none.
    let unknown: UnknownWrite?
    /// By the database's clock.
    let now: Date

    private var times: WhyTimes { WhyTimes(now: now) }

    /// - Parameter width: columns there are; nil for no bound.
    func text(width: Int?, isColoured: Bool = false) -> String {
        var list = FieldList(indent: 10)
        for (name, value) in fields { list.add(name, value) }
        var table = TextTable([.init(title: "WHEN"), .init(title: "WHAT", minimumWidth: 24), .init(title: "JOB")])
        for event in events { table.add(TimeText.full(event.time), event.text, event.job.description) }
        return list.text(below: verdict, width: width, isColoured: isColoured) + "\n"
            + table.text(width: width, isColoured: isColoured)
    }

    /// The same, as it is printed on a stream.
    func text(on stream: StandardStream) -> String { text(width: stream.width, isColoured: stream.isColoured) }

    /// One sentence: whether the note is in Notion, and what is in the way.
    private var verdict: String {
        let name = "Note \(ShellWord.shown(note)) of user \(ShellWord.shown(user.rawValue))"
        let shown =
            life.page.map { "has a page, which shows its version of \(times.past($0.keepModifiedAt))" } ?? "has no page"
        var faults: [String] = []
        if let failure = life.failure {
            faults.append(
                "\(failure.reason.why), \(Count.times(failure.failures)) since \(times.past(failure.firstFailedAt))"
            )
        }
        if let write = life.write {
            let state = write.isUnderWay ? "is under way" : "may or may not have been made"
            faults.append("\(write.operation == "create" ? "a create" : "an update") of it \(state)")
        }
        let words = faults.isEmpty ? "" : "; \(faults.joined(separator: "; "))"
        return "\(name) \(shown)\(words).".singleLine
    }

    private var fields: [(String, String)] {
        var fields: [(String, String)] = []
        if let page = life.page {
            let place = page.databaseID.map { ", in database \($0)" } ?? ""
            fields.append(("page", "\(page.id)\(place), last written \(times.past(page.lastWrittenAt))"))
        }
        if let failure = life.failure {
            fields.append(("failing", "\(failure.reason.why): \(failure.remark)"))
        }
        if let write = life.write {
            let version = "of the version of \(TimeText.full(write.keepModifiedAt))"
            let reason = write.reason.map { ": \($0)" } ?? ""
            fields.append(("write", "\(write.operation) \(version), sent \(times.past(write.sentAt))\(reason)"))
        }
        if let unknown, unknown.next == .held {
            let by = unknown.resolution == .hold ? ", as an operator has said" : ""
            fields.append(("held", "until an operator settles it\(by)"))
        }
        for page in life.otherPages { fields.append(("surplus", "page \(page.id), found \(times.past(page.foundAt))")) }
        fields.append(("next", next))
        return fields
    }

    /// What becomes of it by itself, or what is to be done.
    private var next: String {
        if let unknown {
            let command = "\(user.shellCommand(withOption: "syncctl unknown list"))"
            return switch unknown.next {
            case .underWay:
                "its worker may still hear of the write"
                    + (unknown.openUntil.map { ", until \(times.coming($0))" } ?? "")
            case .sentAgain:
                "the user's next sync sends the write again"
                    + (unknown.waitsUntil.map { ", after \(times.coming($0)) or once anything else is written" } ?? "")
            case .superseded: "the user's next sync leaves the write among the surplus pages: the note has another page"
            case .held: "nothing by itself: look in Notion, then syncctl unknown settle or retry; see: \(command)"
            }
        }
        if life.write?.isUnderWay == true { return "its worker hears of the write, or finds that nobody will" }
        if let failure = life.failure { return failure.reason.next }
        return life.page == nil ? "the next sync that finds it writes it" : "nothing, until it is edited"
    }

    private typealias Event = (time: Date, text: String, job: EventJob)

    /// The job that an event is of.
    private struct EventJob: CustomStringConvertible {
        let id: JobID?
        var description: String { id.map { String($0.description.prefix(8)) } ?? "" }
    }

    /// What has happened, the newest last.
    private var events: [Event] {
        var events = life.lines.map { line -> Event in
            (line.time, "\(line.level): \(line.message)", EventJob(id: line.jobID))
        }
        if let page = life.page { events.append((page.lastWrittenAt, "its page was written", EventJob(id: nil))) }
        if let failure = life.failure {
            let job = EventJob(id: failure.jobID)
            if failure.failures > 1 {
                events.append((failure.firstFailedAt, "failed for the first time", EventJob(id: nil)))
            }
            events.append((failure.lastFailedAt, "failed: \(failure.error)", job))
        }
        if let write = life.write {
            events.append((write.sentAt, "\(write.operation) sent", EventJob(id: write.jobID)))
            if let time = write.unknownAt {
                events.append(
                    (time, "outcome of the \(write.operation) found to be unknown", EventJob(id: write.jobID))
                )
            }
        }
        events += life.requests.map { request -> Event in
            let surplus = request.isSurplus ? "; it may have made a surplus page" : ""
            return (request.sentAt, "\(request.operation) sent, never answered\(surplus)", EventJob(id: request.jobID))
        }
        events += life.otherPages.map { page -> Event in
            (page.foundAt, "surplus page \(page.id) found", EventJob(id: page.jobID))
        }
        return events.sorted { $0.time < $1.time }
    }

    var json: JSONValue {
        [
            "user_id": .string(user.rawValue), "keep_note_id": .string(note), "next": .string(next),
            "page": life.page.map { page in
                [
                    "notion_page_id": .string(page.id), "notion_database_id": .string(page.databaseID),
                    "keep_modified_at": .time(page.keepModifiedAt), "last_written_at": .time(page.lastWrittenAt),
                ]
            } ?? .null,
            "write": life.write.map { write in
                [
                    "operation": .string(write.operation), "job_id": .string(write.jobID.description),
                    "sent_at": .time(write.sentAt), "keep_modified_at": .time(write.keepModifiedAt),
                    "is_under_way": .bool(write.isUnderWay), "open_until": .time(write.openUntil),
                    "unknown_at": .time(write.unknownAt), "unknown_count": .int(write.unknownCount),
                    "resolution": .string(write.resolution), "reason": .string(write.reason),
                    "next": .string(unknown?.next.rawValue),
                ]
            } ?? .null,
            "failure": life.failure.map(FailedListCommand.json) ?? .null,
            "surplus_pages": .array(
                life.otherPages.map {
                    [
                        "notion_page_id": .string($0.id), "found_at": .time($0.foundAt),
                        "job_id": .string($0.jobID.description),
                    ]
                }
            ),
            "events": .array(
                events.map {
                    [
                        "at": .time($0.time), "text": .string($0.text.singleLine),
                        "job_id": .string($0.job.id?.description),
                    ]
                }
            ),
        ]
    }
}
