/// A five-character SQLSTATE, the code PostgreSQL gives each error.
///
/// Source: PostgreSQL documentation, appendix A "PostgreSQL Error Codes".
public struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The class of the code, its first two characters.
    public var classCode: String { String(rawValue.prefix(2)) }

    public var description: String { rawValue }

    public static let uniqueViolation = SQLState(rawValue: "23505")
    public static let foreignKeyViolation = SQLState(rawValue: "23503")
    public static let notNullViolation = SQLState(rawValue: "23502")
    public static let checkViolation = SQLState(rawValue: "23514")
    public static let undefinedTable = SQLState(rawValue: "42P01")
    public static let undefinedColumn = SQLState(rawValue: "42703")
    public static let duplicateTable = SQLState(rawValue: "42P07")
    public static let duplicateObject = SQLState(rawValue: "42710")
    public static let syntaxError = SQLState(rawValue: "42601")
    public static let insufficientPrivilege = SQLState(rawValue: "42501")
    public static let invalidTextRepresentation = SQLState(rawValue: "22P02")
    public static let divisionByZero = SQLState(rawValue: "22012")
    public static let invalidCatalogName = SQLState(rawValue: "3D000")
    public static let invalidAuthorization = SQLState(rawValue: "28000")
    public static let invalidPassword = SQLState(rawValue: "28P01")
    public static let serializationFailure = SQLState(rawValue: "40001")
    public static let deadlockDetected = SQLState(rawValue: "40P01")
    public static let lockNotAvailable = SQLState(rawValue: "55P03")
    public static let queryCanceled = SQLState(rawValue: "57014")
    public static let adminShutdown = SQLState(rawValue: "57P01")
    public static let crashShutdown = SQLState(rawValue: "57P02")
    public static let cannotConnectNow = SQLState(rawValue: "57P03")
    public static let idleSessionTimeout = SQLState(rawValue: "57P05")
    public static let idleInTransactionSessionTimeout = SQLState(rawValue: "25P03")
    public static let readOnlySQLTransaction = SQLState(rawValue: "25006")
    public static let invalidStatementName = SQLState(rawValue: "26000")
    public static let featureNotSupported = SQLState(rawValue: "0A000")
    public static let ioError = SQLState(rawValue: "58030")
    public static let diskFull = SQLState(rawValue: "53100")
    public static let tooManyConnections = SQLState(rawValue: "53300")

    /// Whether the server ends the session with this error.
    var endsSession: Bool {
        classCode == "08"
            || [
                .adminShutdown, .crashShutdown, .cannotConnectNow, .idleSessionTimeout,
                .idleInTransactionSessionTimeout,
            ].contains(self)
    }

    /// Whether the same transaction, run anew a little later, may succeed.
    ///
    /// A statement that is cancelled though nobody here asked for it met the `statement_timeout` of its role or an
    /// administrator's `pg_cancel_backend`.
    var isTransient: Bool {
        endsSession || classCode == "53"
            || [
                .serializationFailure, .deadlockDetected, .lockNotAvailable, .readOnlySQLTransaction, .queryCanceled,
                .ioError,
            ].contains(self)
    }

    /// Whether a value is at fault, and would be again: it is out of range, too long, or breaks a constraint; or a
    /// trigger refuses the row, with a code of PL/pgSQL's or of its own.
    var isAboutValues: Bool {
        ["21", "22", "23", "44", "54", "P0"].contains(classCode) || !Self.classes.contains(classCode)
    }

    /// The classes that PostgreSQL uses itself.
    private static let classes: Set = [
        "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22", "23", "24",
        "25",
        "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44", "53", "54", "55",
        "57",
        "58", "72", "F0", "HV", "P0", "XX",
    ]
}
