import Support

/// What the statements of a program have changed so far, for one that is interrupted and has to say so.
///
/// It is sure where it says that nothing was changed; a statement counts as soon as it can have changed something.
public final class ChangeRecord: Sendable {
    private struct State {
        /// Whether a transaction that is open has changed something.
        var isPending = false
        var mayHaveChanged = false
    }

    private let state = Mutex(State())

    public init() {}

    /// Whether something that was committed may have changed the database, or a statement was given up without the
    /// server's word on it.
    public var mayHaveChanged: Bool { state.withLock { $0.mayHaveChanged } }

    /// The server has carried out a statement.
    ///
    /// - Parameter isOpen: whether it is part of a transaction that has not ended with it.
    func completed(_ sql: String, _ result: PostgresResult, isOpen: Bool) {
        let command = result.commandTag.prefix { $0 != " " }
        state.withLock { state in
            switch command {
            case "COMMIT":
                state.mayHaveChanged = state.mayHaveChanged || state.isPending
                state.isPending = false
            case "ROLLBACK": state.isPending = false
            default:
                guard Self.changes(command, sql, result) else { return }
                if isOpen { state.isPending = true } else { state.mayHaveChanged = true }
            }
        }
    }

    /// A statement was cancelled, and the server has not said what became of it.
    func gaveUp() {
        state.withLock { $0.mayHaveChanged = true }
    }

    private static func changes(_ command: Substring, _ sql: String, _ result: PostgresResult) -> Bool {
        switch command {
        case "BEGIN", "SET", "SHOW", "LOCK", "LISTEN", "UNLISTEN": false
        case "SELECT": canChange(sql)
        // What stands before it in the statement is not counted by the server.
        case "INSERT", "UPDATE", "DELETE": result.affectedRows > 0 || sql.contains("WITH ")
        default: true
        }
    }

    /// Whether a query changes something on its way: one that locks rows does not.
    private static func canChange(_ sql: String) -> Bool {
        let text = sql.replacing("FOR NO KEY UPDATE", with: "").replacing("FOR UPDATE", with: "")
        return ["INSERT INTO", "UPDATE ", "DELETE FROM", "sync_take_over("].contains { text.contains($0) }
    }
}
