import Postgres

/// Error of a command of this program, for the person who gave it.
struct SyncControlError: Error, CustomStringConvertible {
    /// What happened.
    struct Code: Hashable, Sendable {
        /// What the program exits with.
        let status: ExitStatus

        /// An argument is missing or can't be used together with the others.
        static let usage = Code(status: .usage)
        /// What stands on stdin can't be used.
        static let unusableInput = Code(status: .unusableInput)
        /// There is no such job or user.
        static let notFound = Code(status: .notFound)
        /// Refused, or the person said no.
        static let refused = Code(status: .failed)
        /// A variable can't be used.
        static let configuration = Code(status: .configuration)
        /// The database has not confirmed a change, which may have been made.
        static let unconfirmed = Code(status: .unavailable)
        /// The output can't be written.
        static let outputFailed = Code(status: .outputFailed)
        /// The job has not ended in the time given.
        static let stillRunning = Code(status: .stillRunning)
        /// Ctrl-C.
        static let interrupted = Code(status: .interrupted)
    }

    let code: Code
    /// What to do, without any secret.
    let message: String
    let cause: (any Error)?
    let file: String
    let line: Int

    init(
        _ code: Code,
        _ message: String,
        cause: (any Error)? = nil,
        file: String = #fileID,
        line: Int = #line
    ) {
        self.code = code
        self.message = message
        self.cause = cause
        self.file = file
        self.line = line
    }

    var description: String { message }
}

extension SyncControlError {
    /// A change of which no answer has come, or which no standby has confirmed.
    ///
    /// - Parameters:
    ///   - error: one that ``Postgres/PostgresError/mayHaveTakenEffect``.
    ///   - outcomeCheck: the command that shows whether it was made.
    static func unconfirmed(_ error: PostgresError, outcomeCheck: String) -> SyncControlError {
        let outcome =
            error.isUnreplicated
            ? "What was asked for is done here, and a failover may undo it."
            : "What was asked for may have been done or not."
        return SyncControlError(
            .unconfirmed,
            "\(error.asSentence) \(outcome) Look before you do it again: \(outcomeCheck)",
            cause: error
        )
    }
}
