/// A failure of a connection, a statement, a value or a migration.
///
/// Its description never holds a password, nor a bound value but where a statement makes the server convert a text: the
/// server's `detail`, which quotes values of the row at fault, is only in the property of that name. A cancelled task
/// is no `PostgresError` but a `CancellationError`.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// What happened.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public let description: String

        private init(_ description: String) {
            self.description = description
        }

        /// The connection string cannot be understood.
        public static let invalidConfiguration = Code("invalid configuration")
        /// No connection could be made.
        public static let connectionFailed = Code("connection failed")
        /// The connection ended while a statement was under way; the statement may or may not have been applied.
        public static let connectionLost = Code("connection lost")
        /// The connection was used after it had been closed or had broken; nothing was sent.
        public static let connectionClosed = Code("connection closed")
        /// A second statement was given to a connection while one was under way; nothing was sent.
        public static let connectionBusy = Code("connection busy")
        /// The pool has been shut down; nothing was sent.
        public static let poolClosed = Code("pool closed")
        /// The server refused the statement; see ``PostgresError/sqlState``.
        public static let server = Code("server error")
        /// The statement took longer than its timeout and the server confirmed that it was cancelled.
        public static let queryTimedOut = Code("query timed out")
        /// The connection ended between COMMIT and its answer: the transaction may or may not have been applied.
        public static let commitOutcomeUnknown = Code("commit outcome unknown")
        /// COMMIT was answered by ROLLBACK, because an earlier statement of the transaction had failed.
        public static let transactionRolledBack = Code("transaction rolled back")
        /// A transaction was begun within a transaction.
        public static let transactionInProgress = Code("transaction in progress")
        /// A bound value or the text of a statement cannot be sent; nothing was sent.
        public static let encodingFailed = Code("encoding failed")
        /// A column does not hold what was asked for.
        public static let decodingFailed = Code("decoding failed")
        /// A statement that this client cannot run, such as COPY.
        public static let unsupported = Code("unsupported")
        /// The list of migrations itself has a gap or an order that cannot be.
        public static let invalidMigrations = Code("invalid migrations")
        /// A migration was changed after it had been applied.
        public static let migrationChanged = Code("migration changed")
        /// The database holds a migration that this program does not know.
        public static let migrationUnknown = Code("migration unknown")
        /// A later migration was applied without an earlier one.
        public static let migrationGap = Code("migration gap")
        /// Migrations are still to be applied.
        public static let migrationPending = Code("migration pending")
        /// A migration's script failed and left nothing behind.
        public static let migrationFailed = Code("migration failed")
    }

    public let code: Code
    /// The server's code for the error, if it came from the server.
    public var sqlState: SQLState?
    /// What happened and, where it is known, what to do.
    public var message: String
    /// The server's details. They may quote values of the row at fault, so they do not belong into logs.
    public var detail: String?
    /// The server's suggestion what to do.
    public var hint: String?
    /// The name of the constraint that was violated.
    public var constraint: String?
    /// Whether the connection was ended because the server stayed silent on it.
    public internal(set) var isSilence = false
    /// Whether the server has said that it committed and that no standby has confirmed it: a failover may undo what was
    /// done.
    public internal(set) var isUnreplicated = false
    /// The error behind this one.
    public var cause: (any Error)?
    public let file: String
    public let line: Int

    public init(
        _ code: Code,
        _ message: String,
        sqlState: SQLState? = nil,
        cause: (any Error)? = nil,
        file: String = #fileID,
        line: Int = #line
    ) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
        self.cause = cause
        self.file = file
        self.line = line
    }

    public var description: String {
        var text = message
        if let sqlState {
            text += " (SQLSTATE \(sqlState))"
        }
        if let hint {
            text += ". Hint: \(hint)"
        }
        return text
    }
}

extension PostgresError {
    /// Whether the failure is a passing one: the same transaction, run anew a little later, may succeed.
    ///
    /// True for a lost, refused or broken connection (``Code/connectionLost`` included, where the lost statement may
    /// have been applied: retry only what may run twice), a full or stopping server, a deadlock, a serialization
    /// failure, an unavailable lock, an error of the server's disk, a timeout and a statement that an administrator
    /// cancelled. False for ``Code/commitOutcomeUnknown``: look first whether the work was done.
    public var isRetryable: Bool {
        switch code {
        case .commitOutcomeUnknown: false
        case .connectionFailed, .connectionLost, .connectionClosed, .queryTimedOut: true
        default: sqlState?.isTransient ?? (cause as? PostgresError)?.isRetryable ?? false
        }
    }

    /// Whether what was sent may have taken effect although it failed: its answer never came, or the server committed
    /// it and no standby has confirmed that (see ``isUnreplicated``).
    public var mayHaveTakenEffect: Bool {
        code == .connectionLost || code == .commitOutcomeUnknown
    }

    /// Whether the tables are not those that the program knows.
    public var isOfMigrations: Bool {
        [.invalidMigrations, .migrationChanged, .migrationUnknown, .migrationGap, .migrationPending].contains(code)
    }

    /// Whether a value is at fault, so that the same transaction without it may succeed, and with it never does.
    public var isAboutValues: Bool {
        code == .encodingFailed || sqlState?.isAboutValues ?? false
    }

    /// Whether the server refuses what the statement would do, and would again: nothing about the moment or the
    /// connection is at fault.
    public var isRefusal: Bool {
        isAboutValues || sqlState != nil && !isRetryable && !isConnectionFailure
    }

    /// Whether the connection, and not the statement, is at fault: it could not be made or has ended.
    public var isConnectionFailure: Bool {
        switch code {
        case .connectionFailed, .connectionLost, .connectionClosed, .commitOutcomeUnknown: true
        default: sqlState?.endsSession ?? (cause as? PostgresError)?.isConnectionFailure ?? false
        }
    }
}
