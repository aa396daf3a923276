import ArgumentParser

/// A command that works on the database.
protocol DatabaseCommand: AsyncParsableCommand, Sendable {
    /// Whether tables that are not those of this program, or too new for it, end the command before it does anything.
    var checksTables: Bool { get }

    /// What to do where the role lacks a right that the command needs.
    static var rightsAdvice: String { get }
    /// How to see whether the command's change was made, where the answer to it is lost or a signal has ended it; nil for
    /// a command that changes nothing.
    var outcomeCheck: String? { get }
    /// Whether it hears signals itself and ends by them: between two steps, or once its screen is put back.
    var endsBySignals: Bool { get }
    /// How long it waits for a lock before it says whose that is.
    var lockPatience: Duration { get }
    /// Does the work; what it throws becomes one message and an exit code.
    func run(_ session: DatabaseSession) async throws
}

extension DatabaseCommand {
    var checksTables: Bool { true }
    static var rightsAdvice: String { Failure.rightsAdvice }
    var outcomeCheck: String? { nil }
    var endsBySignals: Bool { false }
    var lockPatience: Duration { .seconds(2) }

    func run() async throws {
        try await Failure.reported(rightsAdvice: Self.rightsAdvice, outcomeCheck: outcomeCheck) {
            try await DatabaseSession.open { session in
                if endsBySignals { return try await work(session) }
                let interruption = Interruption(
                    session: session,
                    outcomeCheck: outcomeCheck,
                    rightsAdvice: Self.rightsAdvice
                )
                try await interruption.ending { try await work(session) }
            }
        }
    }

    private func work(_ session: DatabaseSession) async throws {
        try await LockWaits(pool: session.pool, patience: lockPatience).reporting {
            if checksTables { try await session.checkAppliedMigrations() }
            try await run(session)
        }
    }
}
