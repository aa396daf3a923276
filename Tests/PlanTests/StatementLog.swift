import Postgres
import SyncSchema
import TestSupport

/// A server that writes every statement into its log, to count them.
struct StatementLog {
    let cluster: PrivateCluster
    let database: TestDatabase

    static func start() async throws -> StatementLog {
        let cluster = try await PrivateCluster.start(
            PrivateCluster.Options(settings: ["log_statement": "all", "log_line_prefix": "%d "])
        )
        return StatementLog(
            cluster: cluster,
            database: try await cluster.createDatabase(migrations: SyncSchema.migrations)
        )
    }

    /// The statements that `body` sends to the database; text and preparing are not told apart from running.
    func statements(_ body: () async throws -> Void) async throws -> [String] {
        let before = executions.count
        try await body()
        return Array(executions.dropFirst(before))
    }

    private var executions: [String] {
        cluster.serverLog.split(separator: "\n").map(String.init).filter { line in
            line.hasPrefix(database.name + " ") && (line.contains("LOG:  execute") || line.contains("LOG:  statement:"))
        }
    }

    func stop() async throws {
        await database.pool.shutdown()
        try await cluster.remove()
    }
}
