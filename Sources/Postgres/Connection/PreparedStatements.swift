import CLibPQ

/// The statements one session has prepared, so that each is parsed once and, where that is as good, planned once.
///
/// With them go the session's settings of planning, which last from one batch to the next as they do.
///
/// Not used behind a pooler that gives each transaction another session, such as PgBouncer in transaction mode: what
/// one session has prepared the next does not know. Such a pooler is told by the number of the server process: the one
/// it gave when the connection was made is not that of the server process that answers.
struct PreparedStatements {
    /// Whether statements last from one batch to the next.
    enum Session {
        case unknown, own, shared
    }

    private struct Key: Hashable {
        let sql: String
        let types: [UInt32]

        init(_ query: PostgresQuery) {
            sql = query.sql
            types = query.bindings.types
        }
    }

    /// A program has some dozens of statements; texts put together anew each time must not fill the server's memory.
    private static let limit = 200

    var session = Session.unknown
    /// How the session plans, if nothing is said for a transaction.
    var planning = PostgresQuery.Planning.free
    /// Whether transactions of the session are read committed, whatever the database has as its default.
    var isReadCommitted = false
    private var names: [Key: String] = [:]
    private var lastNumber = 0

    /// The name under which a statement is prepared; nil if it is not.
    func name(of query: PostgresQuery) -> String? {
        session == .own ? names[Key(query)] : nil
    }

    /// A name to prepare a statement under; nil if it is not worth it.
    mutating func newName(for query: PostgresQuery) -> String? {
        guard session == .own, query.bindings.count > 0, lastNumber < Self.limit else { return nil }
        lastNumber += 1
        return "s\(lastNumber)"
    }

    mutating func didPrepare(_ query: PostgresQuery, as name: String) {
        names[Key(query)] = name
    }

    /// Whether an error means that what was prepared can't be used any more: a migration has changed the columns of a
    /// result, or somebody has dropped it. Told by the code alone, as the text is in the server's language.
    ///
    /// - Parameter wasEmpty: nothing had been prepared before the statement that failed.
    func areInvalidated(by error: PostgresError, wasEmpty: Bool) -> Bool {
        !wasEmpty && (error.sqlState == .invalidStatementName || error.sqlState == .featureNotSupported)
    }

    var isEmpty: Bool { names.isEmpty }
}
