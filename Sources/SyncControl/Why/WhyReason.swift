import Foundation
import JobQueue
import Postgres
import Support

/// One thing that keeps a job, or how it goes: what `syncctl why` says of it.
struct WhyReason {
    /// A word for programs, which stays.
    let code: String
    /// All of it in a sentence or two, for a person.
    let sentence: String
    /// Since when it is so; nil: not known.
    var since: Date?
    /// Until when, as far as that can be known or reckoned.
    var until: Date?
    /// The row that blocks; nil: none does.
    var blocker: Blocker?
    /// What unblocks, to be pasted; nil: nothing is to be done, or no command does it.
    var command: String?

    /// The row that blocks a job: a job, a gate, a pause, a worker, or something else of that kind.
    struct Blocker {
        let kind: String
        /// What is known of it, in the order of reading.
        let fields: [(name: String, value: JSONValue)]

        var json: JSONValue {
            .object(Dictionary(fields.map { ($0.name, $0.value) } + [("kind", .string(kind))]) { first, _ in first })
        }

        /// `pause: scope user, key anna, reason "Asked for it."`
        var text: String {
            let known = fields.compactMap { name, value in
                value.shown.map { "\(name.replacing("_", with: " ")) \($0)" }
            }
            return "\(kind): \(known.joined(separator: ", "))".singleLine
        }
    }

    var json: JSONValue { .object(fields) }

    var fields: [String: JSONValue] {
        [
            "reason": .string(code), "sentence": .string(sentence.singleLine), "since": .time(since),
            "until": .time(until), "blocker": blocker?.json ?? .null, "command": .string(command),
        ]
    }
}

extension JSONValue {
    /// The value as a list for people has it; nil: it is not set.
    fileprivate var shown: String? {
        switch self {
        case .null: nil
        case .bool(let value): value ? "yes" : "no"
        case .int(let value): "\(value)"
        case .double(let value): "\(value)"
        case .string(let text): text
        case .array, .object: try? text()
        }
    }
}

/// What `syncctl why` answers.
struct WhyAnswer {
    /// The job, its user and its status; nil where the tables can't be read.
    let job: (id: String, user: String, status: String)?
    /// The first is what decides; never empty.
    let reasons: [WhyReason]
    /// Whether a claim by a worker with a free slot takes it now.
    var isClaimable = false

    var json: JSONValue {
        let job: [String: JSONValue] = [
            "job_id": .string(job?.id), "user_id": .string(job?.user), "status": .string(job?.status),
            "is_claimable": .bool(isClaimable), "also": .array(reasons.dropFirst().map(\.json)),
        ]
        return .object(job.merging(reasons.first?.fields ?? [:]) { first, _ in first })
    }

    /// The sentence first, then the rows. Commands are not wrapped: they are pasted.
    ///
    /// - Parameter width: columns there are; nil for no bound.
    func text(width: Int?, isColoured: Bool = false) -> String {
        var fields = FieldList(indent: 9)
        if let job { fields.add("job", "\(job.id), \(job.status), of user \(ShellWord.shown(job.user))") }
        for (place, reason) in reasons.enumerated() {
            if place > 0 { fields.add("also", reason.sentence) }
            if place == 0, let blocker = reason.blocker { fields.add("blocker", blocker.text) }
            if let command = reason.command { fields.add("command", command, isWrapped: false) }
        }
        return fields.text(below: reasons.first?.sentence ?? "", width: width, isColoured: isColoured)
    }

    /// The same, as it is printed on a stream.
    func text(on stream: StandardStream) -> String { text(width: stream.width, isColoured: stream.isColoured) }
}

/// Words for times in the sentences of `syncctl why`.
struct WhyTimes {
    /// By the database's clock.
    let now: Date

    /// `2026-01-02 03:04:05 UTC (5 min ago)`.
    func past(_ date: Date) -> String {
        guard date.infinityText == nil else { return TimeText.full(date) }
        return "\(TimeText.full(date)) (\(TimeText.rough(.seconds(now.timeIntervalSince(date)))) ago)"
    }

    /// `2026-01-02 03:04:05 UTC (in 5 min)`.
    func coming(_ date: Date) -> String {
        guard date.infinityText == nil else { return TimeText.full(date) }
        return "\(TimeText.full(date)) (in \(TimeText.rough(.seconds(date.timeIntervalSince(now).rounded(.up)))))"
    }

    /// ` until 2026-01-02 03:04:05 UTC (in 5 min)`, or as `otherwise` says.
    func until(_ date: Date?, otherwise: String) -> String { date.map { "until \(coming($0))" } ?? otherwise }
}
