import ArgumentParser

/// A command that works on the database.
protocol DatabaseCommand: AsyncParsableCommand {
    /// Whether tables that are too new for this program end the command before it does anything.
    var checksTables: Bool { get }

    /// What to do where the role lacks a right that the command needs.
    static var rightsAdvice: String { get }
    /// Does the work; what it throws becomes one message and an exit code.
    func run(_ session: DatabaseSession) async throws
}

extension DatabaseCommand {
    var checksTables: Bool { true }
    static var rightsAdvice: String { Failure.rightsAdvice }

    func run() async throws {
        try await Failure.reported(rightsAdvice: Self.rightsAdvice) {
            try await DatabaseSession.open { session in
                if checksTables { try await session.checkNewerMigrations() }
                try await run(session)
            }
        }
    }
}
