import JobQueue
import Support

extension PauseScope {
    /// `all`, `peer notion_writer` or `user anna@example.org`.
    var text: String { key.isEmpty ? kind : "\(kind) \(ShellWord.shown(key))" }

    /// Whether no job at all begins.
    var keepsEverything: Bool { if case .user = self { false } else { true } }
}

extension PauseList {
    /// The pauses that let no job at all begin.
    func ofEverything() async throws -> [Pause] {
        try await pauses(limit: 10).filter(\.scope.keepsEverything)
    }
}

extension Pause {
    /// All of it in a sentence.
    var text: String {
        let end = pausedUntil.map { "until \(TimeText.full($0))" } ?? "until it is resumed"
        return "\(scope.text), paused by \(pausedBy) since \(TimeText.full(pausedAt)) \(end): \(reason)".singleLine
    }

    var json: JSONValue {
        [
            "scope": .string(scope.kind), "key": .string(scope.key.isEmpty ? nil : scope.key),
            "reason": .string(reason),
            "paused_by": .string(pausedBy), "paused_at": .time(pausedAt), "paused_until": .time(pausedUntil),
        ]
    }
}

extension JobHold {
    /// Why the job does not run, and what shows more of it.
    var text: String {
        switch self {
        case .paused(let pause): "the end of a pause: \(pause.text)"
        case .gate(let gate, let time): "the gate \(gate), until \(TimeText.full(time)); see syncctl gates"
        case .due(let time): "its time, \(TimeText.full(time))"
        case .running(let id): "job \(id) of the same user, which runs"
        case .slot: "a worker with a free slot, or an earlier job of the same user"
        }
    }

    var json: JSONValue {
        switch self {
        case .paused(let pause): ["kind": "pause", "pause": pause.json]
        case .gate(let gate, let time): ["kind": "gate", "gate": .string(gate), "until": .time(time)]
        case .due(let time): ["kind": "due", "until": .time(time)]
        case .running(let id): ["kind": "running_job", "job_id": .string(id.description)]
        case .slot: ["kind": "slot"]
        }
    }
}
