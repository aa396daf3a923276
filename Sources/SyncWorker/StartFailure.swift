import NoteSync
import Postgres
import Settings
import Support
import SyncSchema

/// Why the worker ended by itself, as one message and the exit code a supervisor sees.
struct StartFailure {
    let message: String
    /// As in BSD's sysexits: 78 wrong configuration, 69 something needed is not there, 70 anything else.
    let exitCode: Int32

    init(_ error: any Error) {
        switch error {
        case let error as SettingsError:
            message = error.description
            exitCode = 78
        case let error as UnusableKey:
            message = error.description
            exitCode = 78
        case let error as NoteSyncError where error.code == .localFault:
            message = "\(error)"
            exitCode = 78
        case let error as PostgresError where error.code == .invalidConfiguration:
            message = "\(error) Check DATABASE_URL."
            exitCode = 78
        case let error as PostgresError where error.isOfMigrations:
            message = "\(error)"
            exitCode = 78
        case let error as TooFewOpenFiles:
            message = error.description
            exitCode = 78
        case let error as MissingRights:
            message = error.description
            exitCode = 78
        case let error as PostgresError where error.sqlState == .insufficientPrivilege:
            message = "\(error). \(DatabaseRole.worker.rightsAdvice)"
            exitCode = 78
        case let error as PostgresError where error.isOfReadOnlySession:
            message = "\(error) \(DatabaseAtStart.readOnlyAdvice)"
            exitCode = 69
        case let error as PostgresError where error.isUnanswered:
            message =
                "\(error). The database does not answer: see to it and to the network between, or set DATABASE_URL."
            exitCode = 69
        case let error as PostgresError where error.sqlState == .invalidCatalogName:
            message = "\(error) Create it with createdb, then run: syncctl migrate. Or name another in DATABASE_URL."
            exitCode = 69
        case let error as PostgresError:
            message = [error.description, DatabaseRole.worker.advice(onRefusal: error)].compactMap(\.self).joined(
                separator: " "
            )
            exitCode = 69
        default:
            message = "\(error)"
            exitCode = 70
        }
    }
}
