import CLibPQ
import Logging

extension PostgresConnection {
    /// Runs `body` between BEGIN and COMMIT, on the caller's executor, and gives its result.
    ///
    /// If `body` throws, or the task is cancelled before COMMIT is sent, the transaction is rolled back. COMMIT and
    /// ROLLBACK themselves are not cancelled. Throws what `body` throws; a ``PostgresError`` with code
    /// `commitOutcomeUnknown` if the connection ended between COMMIT and its answer; `transactionRolledBack` if `body`
    /// hid the failure of a statement; `transactionInProgress` if called within another transaction.
    public nonisolated func transaction<R>(
        _ body: (PostgresConnection) async throws -> R
    ) async throws -> R {
        try await begin()
        let result: R
        do {
            result = try await body(self)
            try Task.checkCancellation()
        } catch {
            await rollBack()
            throw error
        }
        try await uncancellable { try await self.commit() }
        return result
    }

    /// A program that is paused in the middle of a transaction must not keep its locks: nobody could take over its
    /// work. In one message with BEGIN, so that it costs no round trip, and local to the transaction, so that it works
    /// through PgBouncer.
    private static let begin =
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = '10s'"

    private static let commit = ("COMMIT" as PostgresQuery).planned(.not)
    private static let rollback = ("ROLLBACK" as PostgresQuery).planned(.not)

    private func begin() async throws {
        guard let handle else {
            throw PostgresError(.connectionClosed, "The connection is closed; take another one from the pool")
        }
        guard exchange != nil || PQtransactionStatus(handle.pointer) == PQTRANS_IDLE else {
            throw PostgresError(.transactionInProgress, "A transaction is already in progress on this connection")
        }
        do {
            try await runScript(Self.begin)
        } catch is CancellationError {
            // BEGIN may have been done before the cancellation was.
            await rollBack()
            throw CancellationError()
        }
    }

    private func commit() async throws {
        let wasOpen = handle != nil
        do {
            let rows = try await query(Self.commit)
            guard rows.result.commandTag == "COMMIT" else {
                throw PostgresError(
                    .transactionRolledBack,
                    "The transaction was rolled back, because an earlier statement in it had failed"
                )
            }
        } catch let error as PostgresError where wasOpen && error.isConnectionFailure {
            throw Self.unanswered(becauseOf: error)
        } catch {
            await rollBack()
            throw error
        }
    }

    private static func unanswered(becauseOf error: PostgresError) -> PostgresError {
        var unanswered = PostgresError(
            .commitOutcomeUnknown,
            error.isUnreplicated
                ? error.message
                : "The connection was lost during COMMIT: the transaction may or may not have been applied",
            cause: error
        )
        unanswered.isUnreplicated = error.isUnreplicated
        return unanswered
    }

    /// Rolls back, even if the task is cancelled; a connection that cannot is closed, which makes the server do it.
    private nonisolated func rollBack() async {
        do {
            try await uncancellable { try await self.rollBackIfNeeded() }
        } catch {
            logger.debug("ROLLBACK failed, closing the connection", metadata: ["error": "\(error)"])
            await close()
        }
    }

    private func rollBackIfNeeded() async throws {
        guard let handle, exchange != nil || PQtransactionStatus(handle.pointer) != PQTRANS_IDLE else { return }
        try await execute(Self.rollback)
    }
}
