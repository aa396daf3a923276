import CLibPQ
import Logging

extension PostgresConnection {
    /// What reads the server's answer. Throws only if the connection is broken; gives the results, or the server's
    /// error.
    typealias Receive = (LibPQConnection, SocketReadiness) async throws -> Result<[PostgresResult], PostgresError>

    /// Sends statements by `send`, which returns 1 if libpq took them, and gives the results that `receive` reads.
    func perform(
        timeout: QueryTimeout,
        send: (OpaquePointer) -> Int32,
        receive: Receive
    ) async throws -> [PostgresResult] {
        guard exchange == nil else {
            throw PostgresError(.connectionBusy, "The connection is busy: it takes one statement at a time")
        }
        guard let handle, let socket else {
            throw PostgresError(.connectionClosed, "The connection is closed; take another one from the pool")
        }
        try Task.checkCancellation()
        let id = beginExchange(until: deadline(for: timeout))
        defer { endExchange() }
        let outcome: Result<[PostgresResult], PostgresError>
        do {
            outcome = try await withTaskCancellationHandler {
                try await roundTrip(handle, socket, send: send, receive: receive)
            } onCancel: {
                requestInterruption(of: id, .taskCancelled)
            }
        } catch {
            throw conclude(handle, with: error)
        }
        await cancelRequestEnded()
        if exchange?.isAbandoned == true {
            close(becauseOf: "it was ended as the server stayed silent")
        }
        return try resolve(outcome, handle)
    }

    /// The results of an exchange whose protocol went well, or the server's error.
    private func resolve(
        _ outcome: Result<[PostgresResult], PostgresError>,
        _ handle: LibPQConnection
    ) throws -> [PostgresResult] {
        switch outcome {
        case .success(let results):
            guard !handle.takeUnreplicatedCommit() else { throw conclude(handle, with: Self.unreplicated(nil)) }
            return results
        case .failure(let error):
            throw error.sqlState == .queryCanceled ? cancellation(error) : conclude(handle, with: error)
        }
    }

    /// What a failover would undo is no success: whoever makes sure of it, by another commit, waits for the standby
    /// then.
    ///
    /// - Parameter cause: how the connection ended, if it did.
    private static func unreplicated(_ cause: (any Error)?) -> PostgresError {
        var error = PostgresError(
            .connectionLost,
            "The commit was cancelled while it waited for the standby: this server has it, and one that takes its place may not",
            cause: cause
        )
        error.isUnreplicated = true
        return error
    }

    /// What the caller gets for a statement that the server cancelled.
    private func cancellation(_ error: PostgresError) -> any Error {
        switch exchange?.interruption {
        case nil: error
        case .taskCancelled: CancellationError()
        case .timedOut(let timeout):
            PostgresError(
                .queryTimedOut,
                "The statement was cancelled because it took longer than \(timeout)",
                sqlState: error.sqlState
            )
        }
    }

    /// The error to throw, after the connection was closed if it is broken.
    private func conclude(_ handle: LibPQConnection, with error: any Error) -> any Error {
        guard handle.isBad || (error as? PostgresError)?.isConnectionFailure == true else { return error }
        let wasClosed = self.handle == nil
        close(becauseOf: "it broke")
        if exchange?.isAbandoned == true {
            if let server { HostOrder.shared.doubt(server.host, of: server.key) }
            if case .taskCancelled = exchange?.interruption {
                configuration.changes?.gaveUp()
                return CancellationError()
            }
            var silence = PostgresError(
                .connectionLost,
                "The server stayed silent; the connection was ended",
                cause: error
            )
            silence.isSilence = true
            return silence
        }
        // A server that ends the session while a commit waits says so before.
        if handle.takeUnreplicatedCommit() { return Self.unreplicated(error) }
        if wasClosed {
            return PostgresError(.connectionLost, "The connection was closed during a statement", cause: error)
        }
        return error
    }

    /// Keeps what statements have changed that the server has carried out.
    func recordChanges(_ statements: some Sequence<(sql: String, result: PostgresResult)>) {
        guard let changes = configuration.changes else { return }
        let isOpen = handle.map { PQtransactionStatus($0.pointer) != PQTRANS_IDLE } ?? false
        for statement in statements { changes.completed(statement.sql, statement.result, isOpen: isOpen) }
    }

    func close(becauseOf reason: String) {
        logger.debug("Closing a connection to PostgreSQL: \(reason)")
        idleState.set(false)
        handle = nil
        socket = nil
    }

    func beginExchange(until deadline: Exchange.Deadline?) -> UInt64 {
        lastExchangeID += 1
        idleState.set(false)
        exchange = Exchange(id: lastExchangeID)
        if let deadline {
            setDeadline(deadline)
        }
        boundByDoubt()
        return lastExchangeID
    }

    func endExchange() {
        if exchange?.interruption == nil { doubt = nil }
        exchange = nil
        dropNotifications()
        idleState.set(handle.map { !$0.isBad && PQtransactionStatus($0.pointer) == PQTRANS_IDLE } ?? false)
        if handle == nil {
            // Closed meanwhile; the socket was still needed to notice it.
            socket = nil
        }
    }

    /// Sends the statement and receives its results. Throws only if the connection is broken.
    private func roundTrip(
        _ handle: LibPQConnection,
        _ socket: SocketReadiness,
        send: (OpaquePointer) -> Int32,
        receive: Receive
    ) async throws -> Result<[PostgresResult], PostgresError> {
        guard send(handle.pointer) == 1 else {
            throw lost(handle)
        }
        while true {
            let left = PQflush(handle.pointer)
            guard left >= 0 else { throw lost(handle) }
            guard left == 1 else { break }
            // The server may send while it is sent to; not reading then could block both for ever.
            await becomeReady(socket, alsoForWriting: true)
            guard PQconsumeInput(handle.pointer) == 1 else { throw lost(handle) }
        }
        exchange?.heardAt = .now
        return try await receive(handle, socket)
    }

    /// All results of a script, to libpq's end of them.
    func receiveScript(
        _ handle: LibPQConnection,
        _ socket: SocketReadiness
    ) async throws -> Result<[PostgresResult], PostgresError> {
        var results: [PostgresResult] = []
        var failure: PostgresError?
        while true {
            let next: PostgresResult?
            do {
                next = try await nextResult(handle, socket)
            } catch {
                // What the server said last explains more than the end of the connection that followed.
                throw failure ?? error
            }
            guard let result = next else { break }
            switch result.status {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: results.append(result)
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                // libpq would give this result again and again; nothing in this program copies.
                close(becauseOf: "it is in COPY mode")
                throw PostgresError(.unsupported, "COPY is not supported")
            default: failure = failure ?? PostgresError(failed: result.pointer)
            }
        }
        return failure.map(Result.failure) ?? .success(results)
    }

    /// The next result of the statement, nil after the last.
    func nextResult(_ handle: LibPQConnection, _ socket: SocketReadiness) async throws -> PostgresResult? {
        while PQisBusy(handle.pointer) == 1 {
            await becomeReady(socket, alsoForWriting: false)
            guard PQconsumeInput(handle.pointer) == 1 else { throw lost(handle) }
            exchange?.heardAt = .now
        }
        return PQgetResult(handle.pointer).map(PostgresResult.init(taking:))
    }

    func lost(_ handle: LibPQConnection) -> PostgresError {
        PostgresError(.connectionLost, "The connection to PostgreSQL was lost: \(handle.errorMessage)")
    }

    /// Waits until the socket can be read, or also until it can be written.
    func becomeReady(_ socket: SocketReadiness, alsoForWriting: Bool) async {
        // Once an exchange: who wants to interrupt it must get a turn.
        if exchange?.hasWaited == false {
            exchange?.hasWaited = true
            if socket.becomesReadySoon(alsoForWriting: alsoForWriting) { return }
        }
        await withCheckedContinuation { continuation in
            readinessWaiter = continuation
            if !socket.arm(alsoForWriting: alsoForWriting) {
                socketBecameReady()
            }
        }
    }

    func socketBecameReady() {
        socket?.disarm()
        readinessWaiter?.resume()
        readinessWaiter = nil
    }
}
