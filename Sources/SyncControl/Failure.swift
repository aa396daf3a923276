import ArgumentParser
import JobQueue
import Postgres
import Settings
import Telemetry

/// Why a command ended, as one message for a person and the code for programs.
struct Failure {
    let message: String
    let status: ExitStatus

    /// - Parameter rightsAdvice: what to do where the database says that the role lacks a right.
    init(_ error: any Error, rightsAdvice: String = rightsAdvice) {
        switch error {
        case let error as SyncControlError:
            self.init(error.message, error.code.status)
        case let error as SettingsError:
            // Shows no secret, and an example of a connection string that the redactor would take for one.
            let message = error.problems.count == 1 ? error.problems[0].description : error.description
            self.init(redacted: message, .configuration)
        case let error as JobQueueError:
            self.init(error.message, error.code == .jobNotFound ? .notFound : .failed)
        case let error as PostgresError:
            self.init(error, rightsAdvice)
        default:
            self.init("\(error)", .internalFault)
        }
    }

    /// For a command that a role of deploy/roles.sql may run.
    static let rightsAdvice =
        "deploy/roles.sql gives each role its rights: run it after syncctl migrate, or name another role in DATABASE_URL."
    /// For a command that needs more rights than any role of deploy/roles.sql has but the owner.
    static let ownersAdvice =
        "No run of deploy/roles.sql gives this role that right: connect as the owner of the tables. With the roles of that file: "
        + "PGOPTIONS='-c role=sync_owner' and, in DATABASE_URL, a role that is a member of it."

    private init(_ error: PostgresError, _ rightsAdvice: String) {
        switch (error.code, error.sqlState) {
        case (.invalidConfiguration, _):
            self.init("\(error.asSentence) Check DATABASE_URL.", .configuration)
        case (.migrationPending, _), (.migrationChanged, _), (.migrationUnknown, _), (.migrationGap, _):
            self.init("\(error)", .configuration)
        case (_, .undefinedTable), (_, .undefinedColumn):
            self.init("The database lacks a table or a column (\(error)). Run: syncctl migrate", .configuration)
        case (_, .insufficientPrivilege):
            self.init("\(error.asSentence) \(rightsAdvice)", .configuration)
        case (_, .readOnlySQLTransaction):
            self.init(Self.readOnly, .configuration)
        case _ where error.isConnectionFailure && Self.isReadOnly(error):
            self.init(Self.readOnly, .configuration)
        case _ where error.isConnectionFailure:
            self.init("\(error.asSentence) \(Self.advice(error))", .unavailable)
        case _ where error.isRetryable:
            self.init("\(error.asSentence) Try again.", .unavailable)
        case (.migrationFailed, _):
            self.init("\(error)", .failed)
        default:
            self.init("The database refused: \(error)", .internalFault)
        }
    }

    private init(_ message: String, _ status: ExitStatus) {
        self.init(redacted: Redactor.processWide.redact(message), status)
    }

    private init(redacted message: String, _ status: ExitStatus) {
        self.message = message
        self.status = status
    }

    private static let readOnly = "This server only reads (a standby?): name the primary in DATABASE_URL."

    /// Whether libpq found only servers that take no writes.
    private static func isReadOnly(_ error: PostgresError) -> Bool {
        ["session is read-only", "server is in hot standby mode"].contains { error.message.contains($0) }
    }

    /// What to do about a connection that can't be made. libpq gives no code for it, so the server's words have to do.
    private static func advice(_ error: PostgresError) -> String {
        if error.message.contains("does not exist") { return "Create it, or set DATABASE_URL." }
        if error.message.contains("password") { return "Check user and password in DATABASE_URL." }
        return "Start the database, or set DATABASE_URL."
    }

    /// Does the work of a command; an error becomes one message on stderr and the exit code.
    ///
    /// - Throws: what ends the program, as ArgumentParser knows it.
    static func reported(
        rightsAdvice: String = rightsAdvice,
        _ body: () async throws -> Void
    ) async throws {
        do {
            try await body()
        } catch let error as ExitCode {
            throw error
        } catch {
            let failure = Failure(error, rightsAdvice: rightsAdvice)
            StandardStream.error.note("syncctl: \(failure.message)")
            throw failure.status.code
        }
    }
}

extension PostgresError {
    /// The description with a full stop, where it has none: libpq's messages come with all kinds of ends.
    fileprivate var asSentence: String {
        let text = description
        return text.last.map { ".?!".contains($0) } ?? true ? text : text + "."
    }
}
