import Logging
import Postgres
import ServiceLifecycle
import TestSupport

@testable import JobQueue

extension QueueFixture {
    /// Runs `body` beside a worker.
    func withWorker(
        slots: Int = 4,
        lease: Duration = .seconds(60),
        poll: Duration = .seconds(60),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        hold: ClaimHold = ClaimHold(),
        handler: @escaping JobHandler = { _ in .completed },
        _ body: () async throws -> Void
    ) async throws {
        let worker = JobWorker(
            pool: PostgresPool(configuration: database.configuration, size: 6, logger: logger),
            database: database.configuration,
            configuration: configuration(slots: slots, lease: lease, poll: poll),
            logger: logger,
            hold: hold,
            handler: handler
        )
        let group = ServiceGroup(services: [worker], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let running = Task { try await group.run() }
        defer { running.cancel() }
        try await body()
        await group.triggerGracefulShutdown()
        try await running.value
    }

    /// Has the database refuse a change of a row.
    func refuse(_ table: String, _ condition: String, state: String = "23514") async throws {
        try await pool.withConnection { connection in
            try await connection.runScript(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '\(state)'; END $$;
                CREATE TRIGGER refuse BEFORE UPDATE ON \(table) FOR EACH ROW WHEN (\(condition)) EXECUTE FUNCTION refuse();
                """
            )
        }
    }
}
