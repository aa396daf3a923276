import ArgumentParser
import JobQueue
import Postgres
import Settings
import SyncSchema
import Telemetry

/// Why a command ended, as one message for a person and the code for programs.
struct Failure {
    let message: String
    let status: ExitStatus

    /// - Parameters:
    ///   - rightsAdvice: what to do where the database says that the role lacks a right.
    ///   - outcomeCheck: how to see whether a change was made of which no answer has come; nil where nothing was to be
    ///     changed.
    init(_ error: any Error, rightsAdvice: String = rightsAdvice, outcomeCheck: String? = nil) {
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
            self.init(error, rightsAdvice, outcomeCheck)
        default:
            self.init("\(error)", .internalFault)
        }
    }

    /// For a command that a role of deploy/roles.sql may run.
    static let rightsAdvice = DatabaseRole.people.rightsAdvice
    /// For a command that needs more rights than any role of deploy/roles.sql has but the owner.
    static let ownersAdvice =
        "deploy/roles.sql leaves that right to the owner of the tables: connect as that role. With the roles of that file: "
        + "PGOPTIONS='-c role=sync_owner' and, in DATABASE_URL, a role that is a member of it."

    private init(_ error: PostgresError, _ rightsAdvice: String, _ outcomeCheck: String?) {
        switch (error.code, error.sqlState) {
        case _ where error.mayHaveTakenEffect:
            let unconfirmed = outcomeCheck.map { SyncControlError.unconfirmed(error, outcomeCheck: $0) }
            self.init(unconfirmed?.message ?? "\(error.asSentence) Try again.", .unavailable)
        case (.invalidConfiguration, _):
            self.init("\(error.asSentence) Check DATABASE_URL.", .configuration)
        case _ where error.isOfMigrations:
            self.init("\(error.asSentence)", .configuration)
        case (_, .undefinedTable), (_, .undefinedColumn):
            self.init("The database lacks a table or a column (\(error)). Run: syncctl migrate", .configuration)
        case (_, .insufficientPrivilege):
            self.init("\(error.asSentence) \(rightsAdvice)", .configuration)
        case _ where error.saysReadOnly:
            self.init("\(error.asSentence) Name a server and a role that may write in DATABASE_URL.", .configuration)
        case _ where error.isConnectionFailure:
            self.init("\(error.asSentence) \(Self.advice(error))", .unavailable)
        case (_, .diskFull):
            self.init("\(error.asSentence) The disk of the database is full: make room there.", .unavailable)
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

    /// What to do about a connection that can't be made. libpq gives no code for some.
    private static func advice(_ error: PostgresError) -> String {
        if error.sqlState == .invalidCatalogName {
            return "Create it with createdb, then run: syncctl migrate. Or name another in DATABASE_URL."
        }
        if let advice = DatabaseRole.people.advice(onRefusal: error) { return advice }
        if error.sqlState == .tooManyConnections {
            return
                "Try again once a session has ended; or raise max_connections, or the limit of the role or the database."
        }
        if error.message.contains("password") { return "Check user and password in DATABASE_URL." }
        // These come from libpq and the resolver, without a code.
        if error.message.contains("SSL") { return "Check sslmode in DATABASE_URL, and ssl on the server." }
        if error.message.contains("could not translate host name") {
            return "Check the host in DATABASE_URL and the name server."
        }
        return "Start the database, or set DATABASE_URL."
    }

    /// Does the work of a command; an error becomes one message on stderr and the exit code.
    ///
    /// - Throws: what ends the program, as ArgumentParser knows it.
    static func reported(
        rightsAdvice: String = rightsAdvice,
        outcomeCheck: String? = nil,
        _ body: () async throws -> Void
    ) async throws {
        do {
            try await body()
        } catch let error as ExitCode {
            throw error
        } catch {
            let failure = Failure(error, rightsAdvice: rightsAdvice, outcomeCheck: outcomeCheck)
            StandardStream.error.fault("syncctl: \(failure.message)")
            throw failure.status.code
        }
    }
}

extension PostgresError {
    /// The description with a full stop, where it has none: libpq's messages come with all kinds of ends.
    var asSentence: String {
        let text = description
        return text.last.map { ".?!".contains($0) } ?? true ? text : text + "."
    }
}
