import Foundation
import Postgres

extension PrivateCluster {
    /// A new server that follows another by streaming replication, running. It takes no writes until it is promoted.
    ///
    /// - Parameter port: where it reaches the other, which may be a relay's.
    public static func startStandby(of primary: PrivateCluster, port: Int) async throws -> PrivateCluster {
        let cluster = try PrivateCluster(files: ClusterFiles.make(), options: primary.options)
        try await cluster.follow(primary, port: port)
        try await cluster.start()
        return cluster
    }

    /// Replaces the data of this server, which must be stopped, by those of another that it follows from its next start
    /// on.
    ///
    /// - Parameter port: where it reaches the other, which may be a relay's.
    public func follow(_ primary: PrivateCluster, port: Int) async throws {
        if FileManager.default.fileExists(atPath: "\(folder)/data") {
            try FileManager.default.removeItem(atPath: "\(folder)/data")
        }
        let copy = try files.startAsServerUser([
            "\(binaries)/pg_basebackup", "-d", primary.replicationString(port: port), "-D", "\(folder)/data",
            "-R", "-X", "stream", "-c", "fast", "--no-sync",
        ])
        try await eventually(within: .seconds(60), "the copy of a server") { copy.exit != nil }
        guard copy.exit == .code(0) else {
            throw SpawnError(description: "pg_basebackup failed:\n\(copy.errorOutput.joined(separator: "\n"))")
        }
    }

    /// Has this server, which must be stopped, take no writes from its next start on, nor follow anybody: what a
    /// primary is that was lost and is found again before anyone has looked after it.
    public func becomeStale() throws {
        let settings = URL(filePath: "\(folder)/data/postgresql.auto.conf")
        let handle = try FileHandle(forWritingTo: settings)
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("primary_conninfo = ''\n".utf8))
        try handle.close()
        guard FileManager.default.createFile(atPath: "\(folder)/data/standby.signal", contents: nil) else {
            throw SpawnError(description: "cannot make \(folder)/data/standby.signal")
        }
    }

    /// Has a standby take writes, and returns when it does.
    public func promote() async throws {
        try await onServer { connection in
            let rows = try await connection.query(
                "SELECT pg_promote(true, 50) AS is_done",
                timeout: .after(.seconds(60))
            )
            guard try rows.first?.decode("is_done") == true else {
                throw SpawnError(description: "the standby was not promoted\n\(serverLog)")
            }
        }
    }

    /// Whether commits wait until a standby has them. Standbys may be asked too: it holds once they are promoted.
    /// Returns when it is so: a process of the server takes its time to tell the others.
    public func setSynchronous(_ isSynchronous: Bool) async throws {
        try await onServer { connection in
            if isSynchronous {
                try await connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            } else {
                try await connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            }
            _ = try await connection.query("SELECT pg_reload_conf()")
        }
        guard isSynchronous else { return }
        try await eventually(within: .seconds(30), "commits to wait for a standby") { try await commitsWait() }
    }

    /// Tried by a commit where no standby is there to be waited for.
    private func commitsWait() async throws -> Bool {
        try await onServer { connection in
            let hasOthers = try await connection.query(
                "SELECT pg_is_in_recovery() OR EXISTS (SELECT FROM pg_stat_replication)"
            )
            if try hasOthers[0].decode(at: 0) { return true }
            do {
                _ = try await connection.query(
                    "SELECT pg_logical_emit_message(true, 'test', '')",
                    timeout: .after(.milliseconds(300))
                )
                return false
            } catch let error as PostgresError {
                return error.code == .connectionLost
            }
        }
    }

    /// Whether transactions are read-only unless they ask for more, in sessions that are open too.
    public func setReadOnly(_ isReadOnly: Bool) async throws {
        try await onServer { connection in
            if isReadOnly {
                try await connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            } else {
                try await connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            }
            _ = try await connection.query("SELECT pg_reload_conf()")
        }
    }

    /// Ends every session but that which does it.
    public func terminateClients() async throws {
        try await onServer { connection in
            _ = try await connection.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
                """
            )
        }
    }

    /// Waits until a standby follows that has all that there is.
    ///
    /// - Parameter isSynchronous: whether commits wait for it by then.
    public func waitForStandby(isSynchronous: Bool) async throws {
        let state = isSynchronous ? "sync" : "async"
        try await eventually(within: .seconds(60), "a standby that follows") {
            try await onServer { connection in
                try await !connection.query(
                    "SELECT FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = \(state)"
                ).isEmpty
            }
        }
    }

    private nonisolated func replicationString(port: Int) -> String {
        let password = options.password.map { " password=\($0)" } ?? ""
        return "host=127.0.0.1 port=\(port) user=postgres dbname=postgres\(password)"
    }
}
