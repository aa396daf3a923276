import ChaosChecker
import Foundation
import Postgres
import TestSupport

extension Ledger {
    /// Runs what an operator, the gateway or an old client may send.
    ///
    /// - Parameter report: is told of a transaction that had a job locked for a while.
    /// - Returns: whether there was something to do it to.
    func run(
        _ statement: Attack.JobStatement,
        _ choice: Int,
        user: String,
        for milliseconds: Int,
        report: @Sendable (History.OpenTransaction) -> Void
    ) async throws -> Bool {
        switch statement {
        case .cancelMany:
            try await pool.execute(
                "UPDATE sync_jobs SET status = 'cancelled' WHERE user_id = \(user) AND status IN ('queued', 'running')"
            )
        case .retryMany:
            try await pool.execute("UPDATE sync_jobs SET status = 'queued' WHERE user_id = \(user)")
        case .reschedule:
            try await pool.execute(
                """
                UPDATE sync_jobs SET run_at = now() + \(choice % 3) * interval '200 milliseconds', priority = \(choice % 5 - 2)
                WHERE user_id = \(user) AND status = 'queued'
                """
            )
        case .delete: try await deleteJob(choice)
        case .insertMany: try await insertMany(user, for: milliseconds)
        case .lock, .cancelLater, .cancelNever:
            if let held = try await holdJob(statement, choice, for: milliseconds) { report(held) }
        case .interrupt: return try await interrupt(choice, within: milliseconds)
        }
        return true
    }

    /// Takes a job away from its worker while a request of it is on its way, if one is within this time.
    private func interrupt(_ choice: Int, within milliseconds: Int) async throws -> Bool {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        repeat {
            let isDone = try await pool.withTransaction { connection in
                let row = try await connection.query(
                    """
                    SELECT j.job_id FROM sync_jobs AS j
                    JOIN sync_intents AS i ON i.job_id = j.job_id AND i.lease = j.lease AND i.unknown_at IS NULL
                    WHERE j.status = 'running'
                    ORDER BY md5(j.job_id::text || \(choice)::text) LIMIT 1 FOR UPDATE OF j
                    """
                ).first
                guard let row else { return false }
                try await take(row.decode("job_id"), choice, on: connection)
                return true
            }
            if isDone { return true }
            await Clock.pause(milliseconds: 5)
        } while ContinuousClock.now < end
        return false
    }

    private func take(_ id: UUID, _ choice: Int, on connection: PostgresConnection) async throws {
        switch choice % 3 {
        case 0: try await connection.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(id)")
        case 1: try await connection.execute("UPDATE sync_jobs SET status = 'queued' WHERE job_id = \(id)")
        default: try await delete(id, on: connection)
        }
    }

    /// Deletes a job, whatever it does.
    private func deleteJob(_ choice: Int) async throws {
        try await pool.withTransaction { connection in
            guard let id = try await lockJob(choice, on: connection) else { return }
            try await delete(id, on: connection)
        }
    }

    private func delete(_ id: UUID, on connection: PostgresConnection) async throws {
        try await connection.execute("DELETE FROM sync_logs WHERE job_id = \(id)")
        try await connection.execute("DELETE FROM sync_jobs WHERE job_id = \(id)")
    }

    private func insertMany(_ user: String, for milliseconds: Int) async throws {
        try await pool.withTransaction { connection in
            try await connection.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, priority)
                SELECT gen_random_uuid(), \(user), 'queued', n % 2 FROM generate_series(1, 3) AS n
                """
            )
            await Clock.pause(milliseconds: milliseconds)
        }
    }

    private func holdJob(
        _ statement: Attack.JobStatement,
        _ choice: Int,
        for milliseconds: Int
    ) async throws -> History.OpenTransaction? {
        struct RolledBack: Error {}
        let began = Clock.now
        var job: String?
        do {
            try await pool.withTransaction { connection in
                guard let id = try await lockJob(choice, on: connection) else { return }
                job = id.uuidString.lowercased()
                if statement != .lock {
                    try await connection.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(id)")
                }
                await Clock.pause(milliseconds: milliseconds)
                if statement == .cancelNever { throw RolledBack() }
            }
        } catch is RolledBack {
            // As it was to be.
        }
        return job.map { History.OpenTransaction(job: $0, from: began, until: Clock.now) }
    }

    private func lockJob(_ choice: Int, on connection: PostgresConnection) async throws -> UUID? {
        try await connection.query(
            "SELECT job_id FROM sync_jobs ORDER BY md5(job_id::text || \(choice)::text) LIMIT 1 FOR UPDATE"
        ).first?.decode("job_id")
    }
}
