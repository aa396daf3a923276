import ArgumentParser

/// A command that works on the database.
protocol DatabaseCommand: AsyncParsableCommand {
    /// Whether tables that are too new for this program end the command before it does anything.
    var checksTables: Bool { get }

    /// Does the work; what it throws becomes one message and an exit code.
    func run(_ session: DatabaseSession) async throws
}

extension DatabaseCommand {
    var checksTables: Bool { true }

    func run() async throws {
        try await Failure.reported {
            try await DatabaseSession.open { session in
                if checksTables { try await session.checkNewerMigrations() }
                try await run(session)
            }
        }
    }
}
