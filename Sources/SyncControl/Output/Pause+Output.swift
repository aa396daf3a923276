import JobQueue
import ServiceHealth
import Support

extension PauseScope {
    /// `all`, `peer notion_writer` or `user anna@example.org`.
    var text: String { key.isEmpty ? kind : "\(kind) \(ShellWord.shown(key))" }
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

    var json: JSONValue { .object(jsonFields) }

    /// The pause as `resume` tells it.
    func json(endedByItself isOver: Bool) -> JSONValue {
        .object(jsonFields.merging(["ended_by_itself": .bool(isOver)]) { field, _ in field })
    }

    private var jsonFields: [String: JSONValue] {
        [
            "scope": .string(scope.kind), "key": .string(scope.key.isEmpty ? nil : scope.key),
            "reason": .string(reason),
            "paused_by": .string(pausedBy), "paused_at": .time(pausedAt), "paused_until": .time(pausedUntil),
        ]
    }
}
