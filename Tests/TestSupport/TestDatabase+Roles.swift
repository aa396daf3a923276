import Foundation
public import Postgres

extension TestDatabase {
    /// Runs `deploy/roles.sql` on this database with psql, and waits for its end.
    ///
    /// - Parameters:
    ///   - variables: psql's variables, `name=value`.
    ///   - user: who runs it.
    public func runRolesFile(_ variables: String..., as user: String = "postgres") async throws -> ProgramRun {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../deploy/roles.sql")
        await RoleFileTurns.shared.take()
        do {
            let run = try ProgramRun(
                executable: "\(cluster.binaries)/psql",
                ["-X", connectionString(of: user), "-f", file.standardizedFileURL.path]
                    + variables.flatMap { ["-v", $0] }
            )
            try await run.waitForExit()
            await RoleFileTurns.shared.giveBack()
            return run
        } catch {
            await RoleFileTurns.shared.giveBack()
            throw error
        }
    }

    /// A URI that leads to this database as another role.
    public func connectionString(of role: String) -> String {
        connectionString.replacing("postgres@", with: "\(role)@")
    }

    /// A connection as another role.
    public func connect(as role: String) async throws -> PostgresConnection {
        let configuration = PostgresConfiguration(connectionString: connectionString(of: role))
        return try await PostgresConnection.connect(configuration, logger: quiet)
    }

    /// A pool of one connection as another role.
    public func pool(as role: String) -> PostgresPool {
        let configuration = PostgresConfiguration(connectionString: connectionString(of: role))
        return PostgresPool(configuration: configuration, size: 1, logger: quiet)
    }
}

/// One run of the file at a time: roles belong to the cluster, which the tests share.
private actor RoleFileTurns {
    static let shared = RoleFileTurns()

    private var isTaken = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    func take() async {
        guard isTaken else {
            isTaken = true
            return
        }
        await withCheckedContinuation { waiters.append($0) }
    }

    func giveBack() {
        if waiters.isEmpty { isTaken = false } else { waiters.removeFirst().resume() }
    }
}
