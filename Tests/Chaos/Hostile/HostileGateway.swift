import Foundation
import Postgres
import Support
import TestSupport

/// Somebody with the gateway's role, who writes whatever it may into rows that are not of honest users.
struct HostileGateway: Sendable {
    let database: TestDatabase
    let seed: UInt64
    let tally: HostileTally

    /// One connection after the other, until the deadline.
    func run(until deadline: ContinuousClock.Instant) async throws {
        var values = HostileValues(random: SplitMix64(seed: seed))
        while .now < deadline {
            let connection = try await database.connect(as: "sync_gateway")
            for _ in 0..<values.random.number(20...200) where .now < deadline {
                do {
                    try await act(&values, connection)
                } catch let error as PostgresError {
                    tally.count("refused \(error.sqlState?.rawValue ?? "by the client")")
                    if error.isConnectionFailure { break }
                }
            }
            await connection.close()
        }
    }

    private func act(_ values: inout HostileValues, _ connection: PostgresConnection) async throws {
        let choice = values.random.number(0...99)
        tally.count("statements of the gateway")
        switch choice {
        case 0..<55: try await connection.execute(insertion(&values))
        case 55..<75: try await connection.execute(change(&values))
        case 75..<85: try await connection.execute(flood(&values))
        case 85..<92: try await connection.execute(noise(&values))
        case 92..<97: try await keepLocked(&values, connection)
        default: try await connection.execute(probe(&values))
        }
    }

    private func insertion(_ values: inout HostileValues) -> PostgresQuery {
        """
        INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, error_message,
            completed_at)
        VALUES (\(UUID()), \(values.user()), \(values.status()), \(values.flag()), \(values.count()), \(values.count()),
            \(values.count()), \(values.error()), \(values.time())::text::timestamp)
        """
    }

    /// Of rows that it has written itself: to change others is its right, and would be no fault of anybody else.
    private func change(_ values: inout HostileValues) -> PostgresQuery {
        """
        UPDATE sync_jobs SET status = \(values.status()), error_message = \(values.error()),
            completed_at = \(values.time())::text::timestamp
        WHERE job_id IN (
            SELECT job_id FROM sync_jobs WHERE user_id = \(values.user()) ORDER BY job_id LIMIT \(values.random.number(1...50)))
        """
    }

    /// Many jobs of one user at once.
    private func flood(_ values: inout HostileValues) -> PostgresQuery {
        """
        INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes)
        SELECT md5(random()::text || n)::uuid, \(values.user()), 'queued', true, 0, 0, 0
        FROM generate_series(1, \(values.random.number(1...300))) AS n
        """
    }

    /// What whoever may connect can do to all.
    private func noise(_ values: inout HostileValues) -> PostgresQuery {
        switch values.random.number(0...3) {
        case 0: "SELECT pg_notify('sync_jobs', n::text) FROM generate_series(1, \(values.random.number(1...5000))) AS n"
        case 1: "SELECT pg_notify('sync_jobs', repeat('x', 7999)) FROM generate_series(1, 20)"
        case 2: "SELECT pg_try_advisory_lock(hashtextextended(\(values.random.pick(HostileUsers.honest)), 7305))"
        default: "SELECT pg_try_advisory_lock_shared(n) FROM generate_series(1, 50) AS n"
        }
    }

    /// An open transaction that has its own rows locked, or listens and reads nothing.
    private func keepLocked(_ values: inout HostileValues, _ connection: PostgresConnection) async throws {
        try await connection.execute("BEGIN")
        do {
            if values.random.chance(0.3) { try await connection.execute("LISTEN sync_jobs") }
            try await connection.execute(insertion(&values))
            try await connection.execute(
                "UPDATE sync_jobs SET error_message = 'mine' WHERE user_id = \(values.random.pick(HostileUsers.withCredentials))"
            )
            try await DeadlineQueue.shared.sleep(for: .milliseconds(values.random.number(50...1500)))
        } catch {
            try await connection.execute("ROLLBACK")
            throw error
        }
        if values.random.chance(0.5) {
            try await connection.execute("COMMIT")
        } else {
            try await connection.execute("ROLLBACK")
        }
    }

    /// What it has no right to; each must be refused.
    private func probe(_ values: inout HostileValues) throws -> PostgresQuery {
        let sql = values.random.pick([
            "INSERT INTO sync_jobs (job_id, user_id, status, priority) VALUES (md5('a')::uuid, 'eve', 'queued', -32768)",
            "UPDATE sync_jobs SET lease = 1", "UPDATE sync_jobs SET user_id = 'eve'",
            "UPDATE sync_jobs SET run_at = 'infinity'",
            "DELETE FROM sync_jobs", "SELECT google_oauth_token FROM credentials", "UPDATE sync_queue SET lease = NULL",
            "SELECT nextval('sync_lease_seq')", "TRUNCATE sync_jobs", "LOCK TABLE sync_jobs IN ACCESS EXCLUSIVE MODE",
            "SELECT sync_queue_wake()", "CREATE TABLE public.sync_eve ()",
        ])
        return PostgresQuery(stringLiteral: sql)
    }
}

/// What was done, and how often.
final class HostileTally: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    func count(_ what: String, _ number: Int = 1) { counts.withLock { $0[what, default: 0] += number } }

    var all: [String: Int] { counts.withLock { $0 } }
}
