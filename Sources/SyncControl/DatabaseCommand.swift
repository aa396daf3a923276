import ArgumentParser

/// A command that works on the database.
protocol DatabaseCommand: AsyncParsableCommand {
    /// Does the work; what it throws becomes one message and an exit code.
    func run(_ session: DatabaseSession) async throws
}

extension DatabaseCommand {
    func run() async throws {
        try await Failure.reported {
            try await DatabaseSession.open { try await run($0) }
        }
    }
}
