import Logging
import Support

/// A statement of which nothing has been heard for a while.
struct SilentStatement: Sendable {
    let connection: PostgresConnection
    let exchange: UInt64
    /// The server process that is to answer.
    let process: Int32
    /// When the connection was opened, if nothing has been heard on it yet: the process is then its own only if it is
    /// as old. A pooler gives numbers of its own.
    let openedAt: ContinuousClock.Instant?

    /// Ends its connection, unless its answer has come meanwhile.
    func end() async { await connection.end(self) }
}

extension PostgresConnection {
    /// The statement under way, if nothing has been heard of it for `limit`. None behind a pooler that shares sessions.
    func silentStatement(for limit: Duration) -> SilentStatement? {
        guard let exchange, exchange.interruption == nil else { return nil }
        // The server reads a statement that is still sent, and counts as idle meanwhile.
        guard let heardAt = exchange.heardAt, heardAt + limit < .now else { return nil }
        guard statements.session != .shared, let process = backendProcessID else { return nil }
        return SilentStatement(
            connection: self,
            exchange: exchange.id,
            process: process,
            openedAt: statements.session == .own ? nil : openedAt
        )
    }

    fileprivate func end(_ statement: SilentStatement) {
        guard let exchange, exchange.id == statement.exchange, exchange.interruption == nil else { return }
        // What has arrived is still to be read.
        guard let socket, !socket.isReadable else { return }
        logger.warning("The database has gone silent on a connection; ending it.")
        abandon()
    }
}

extension PostgresPool {
    /// Ends the connections in use on which nothing is heard any more, though the server has nothing to do for them:
    /// a router has forgotten them, for example. What their statements did is unknown, as of any lost connection.
    ///
    /// - Parameters:
    ///   - limit: how long nothing must have been heard of a statement for it to be asked after.
    ///   - ask: runs a statement on another connection to the same server, by the same user.
    /// - Throws: what `ask` throws.
    public func endUnheard(
        after limit: Duration,
        asking ask: (PostgresQuery) async throws -> PostgresRows
    ) async throws {
        var silent: [SilentStatement] = []
        for connection in longLeased(limit) {
            if let statement = await connection.silentStatement(for: limit) { silent.append(statement) }
        }
        // Twice: a process that has been given a statement may have to wait for its turn on a busy machine.
        for pause in [Duration.zero, Self.secondLook] where !silent.isEmpty {
            if pause > .zero { try await DeadlineQueue.shared.sleep(for: pause) }
            let idle = Set(
                try await ask(
                    .idleProcesses(
                        among: silent.map(\.process),
                        ages: silent.map { $0.openedAt.map { (ContinuousClock.now - $0) / .seconds(1) } }
                    )
                ).map { try $0.decode("pid", as: Int32.self) }
            )
            silent.removeAll { !idle.contains($0.process) }
        }
        for statement in silent { await statement.end() }
    }

    private static let secondLook = Duration.milliseconds(250)
}
