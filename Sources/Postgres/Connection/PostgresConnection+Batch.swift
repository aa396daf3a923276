import CLibPQ

/// A message of a batch, in the order in which the server answers.
private enum BatchCommand {
    /// Asks for the number of the server process.
    case probe
    /// Changes a setting; nothing is read of its answer.
    case set
    case prepare(PostgresQuery, name: String)
    case run
}

extension PostgresConnection {
    /// Runs statements in one round trip and gives the rows of each. Outside of a transaction they are one: all take
    /// effect, or none.
    ///
    /// Nothing is sent after the first answer, so a program that is paused meanwhile holds no locks. Throws the
    /// ``PostgresError`` of the first statement that fails, or `CancellationError` if the task is cancelled. After code
    /// `connectionLost` they may or may not have taken effect.
    ///
    /// Source: PostgreSQL documentation, chapter "libpq", section "Pipeline Mode".
    public func batch(_ queries: [PostgresQuery], timeout: QueryTimeout = .configured) async throws -> [PostgresRows] {
        for query in queries {
            try query.bindings.validate()
            try Self.validate(sql: query.sql)
        }
        guard !queries.isEmpty else { return [] }
        var commands: [BatchCommand] = []
        let settings = planningSettings(for: queries)
        let results = try await perform(timeout: timeout) { connection in
            guard PQenterPipelineMode(connection) == 1 else { return 0 }
            if settings.isolates {
                guard Self.sendUnnamed(PlanningSettings.readCommitted, on: connection) == 1 else { return 0 }
                commands.append(.set)
            }
            if statements.session == .unknown, queries.contains(where: { $0.bindings.count > 0 }) {
                guard Self.sendUnnamed(.serverProcess(), on: connection) == 1 else { return 0 }
                commands.append(.probe)
            }
            for statement in settings.statements {
                guard Self.sendUnnamed(statement, on: connection) == 1 else { return 0 }
                commands.append(.set)
            }
            for query in queries {
                guard send(query, on: connection, &commands) == 1 else { return 0 }
            }
            return PQpipelineSync(connection)
        } receive: { handle, socket in
            try await receiveBatch(of: commands, handle, socket)
        }
        recordChanges(zip(queries, results).map { (sql: $0.sql, result: $1) })
        // Not before: what a failed batch has set is undone with it.
        if let planning = settings.sessionPlanning {
            statements.planning = planning
            if planning != .free { statements.isReadCommitted = true }
        }
        return results.map(PostgresRows.init(result:))
    }

    /// Asks whether one server session is this connection's from its beginning to its end, as it is not behind a pooler
    /// in transaction mode.
    func hasOwnSession() async throws -> Bool {
        // A statement with a value is what makes a batch ask, if it is not known.
        _ = try await batch(["SELECT \(true)"])
        return statements.session == .own
    }

    /// What has to be set before `queries`, whether their transaction has to be told its isolation first, and how the
    /// session plans from then on if that is not for the transaction alone.
    ///
    /// For the transaction alone where a session is not known to be this connection's own, and within a transaction,
    /// which may be rolled back later.
    private func planningSettings(
        for queries: [PostgresQuery]
    ) -> (statements: [PostgresQuery], isolates: Bool, sessionPlanning: PostgresQuery.Planning?) {
        let ways = Set(queries.map(\.planning))
        guard let wanted = [.byIndexGivingWay, .byIndex, .free].first(where: ways.contains) else {
            return ([], false, nil)
        }
        let isIdle = handle.map { PQtransactionStatus($0.pointer) == PQTRANS_IDLE } ?? false
        let isLasting = statements.session == .own && isIdle
        return (
            PlanningSettings.change(from: statements.planning, to: wanted, isLocal: !isLasting),
            isIdle && wanted != .free && !statements.isReadCommitted,
            isLasting ? wanted : nil
        )
    }

    /// Sends one statement: by its name if it is prepared, preparing it first if it is worth that.
    private func send(
        _ query: PostgresQuery,
        on connection: OpaquePointer,
        _ commands: inout [BatchCommand]
    ) -> Int32 {
        defer { commands.append(.run) }
        if let name = statements.name(of: query) {
            return Self.sendPrepared(query, name: name, on: connection)
        }
        guard let name = statements.newName(for: query) else {
            return Self.sendUnnamed(query, on: connection)
        }
        let types = query.bindings.types
        guard PQsendPrepare(connection, name, query.sql, Int32(types.count), types) == 1 else { return 0 }
        commands.append(.prepare(query, name: name))
        return Self.sendPrepared(query, name: name, on: connection)
    }

    private static func sendPrepared(_ query: PostgresQuery, name: String, on connection: OpaquePointer) -> Int32 {
        query.bindings.withValues { values, lengths in
            let formats = [Int32](repeating: 1, count: values.count)
            return PQsendQueryPrepared(connection, name, Int32(values.count), values, lengths, formats, 1)
        }
    }

    private static func sendUnnamed(_ query: PostgresQuery, on connection: OpaquePointer) -> Int32 {
        let bindings = query.bindings
        return bindings.withValues { values, lengths in
            let formats = [Int32](repeating: 1, count: values.count)
            return PQsendQueryParams(
                connection,
                query.sql,
                Int32(values.count),
                bindings.types,
                values,
                lengths,
                formats,
                1
            )
        }
    }

    /// The results of the statements of a batch, in their order, or the first error.
    private func receiveBatch(
        of commands: [BatchCommand],
        _ handle: LibPQConnection,
        _ socket: SocketReadiness
    ) async throws -> Result<[PostgresResult], PostgresError> {
        var results: [PostgresResult] = []
        var failure: PostgresError?
        let wasEmpty = statements.isEmpty
        do {
            for command in commands {
                while let result = try await nextResult(handle, socket) {
                    failure = try take(result, of: command, into: &results, failure)
                }
            }
            let refusal = try await endOfBatch(handle, socket)
            failure = failure ?? refusal
        } catch {
            // What the server said last explains more than the end of the connection that followed.
            throw failure ?? error
        }
        guard PQexitPipelineMode(handle.pointer) == 1 else { throw lost(handle) }
        if let failure, statements.areInvalidated(by: failure, wasEmpty: wasEmpty) {
            close(becauseOf: "its prepared statements no longer fit the tables")
            throw PostgresError(
                .connectionLost,
                "A prepared statement no longer fits; a new connection will do",
                cause: failure
            )
        }
        return failure.map(Result.failure) ?? .success(results)
    }

    /// Reads to the end of the batch.
    ///
    /// - Returns: why its transaction could not be committed, as when a deferred constraint is violated or the queue of
    ///   notifications is full; nil if it is, or failed before.
    private func endOfBatch(_ handle: LibPQConnection, _ socket: SocketReadiness) async throws -> PostgresError? {
        var refusal: PostgresError?
        // An error is a result and the end of one.
        for _ in 0..<3 {
            guard let result = try await nextResult(handle, socket) else { continue }
            if result.status == PGRES_PIPELINE_SYNC { return refusal }
            refusal = refusal ?? PostgresError(failed: result.pointer)
        }
        throw lost(handle)
    }

    /// - Returns: the first error of the batch so far.
    private func take(
        _ result: PostgresResult,
        of command: BatchCommand,
        into results: inout [PostgresResult],
        _ failure: PostgresError?
    ) throws -> PostgresError? {
        switch result.status {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
            switch command {
            case .probe: statements.session = try isOwnSession(result) ? .own : .shared
            case .set: break
            case .prepare(let query, let name): statements.didPrepare(query, as: name)
            case .run: results.append(result)
            }
            return failure
        case PGRES_PIPELINE_ABORTED:
            // It was not run, as one before it failed.
            return failure
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            // libpq would give this result again and again; nothing in this program copies.
            close(becauseOf: "it is in COPY mode")
            throw PostgresError(.unsupported, "COPY is not supported")
        default:
            return failure ?? PostgresError(failed: result.pointer)
        }
    }

    private func isOwnSession(_ probe: PostgresResult) throws -> Bool {
        let process: Int32? = try PostgresRows(result: probe).first?.decode(at: 0)
        return process != nil && process == backendProcessID
    }
}
