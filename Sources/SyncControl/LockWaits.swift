import Foundation
import Postgres
import Support

/// Says on stderr who holds the lock that this program waits for, once it has waited for a while.
struct LockWaits: Sendable {
    let pool: PostgresPool
    /// How long is waited before anything is said.
    var patience = Duration.seconds(2)

    private static let interval = Duration.milliseconds(500)

    /// Does something that may wait for the lock of another session, and says meanwhile who that is.
    func reporting<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        // Ends with this function: leaving it cancels what is not awaited.
        async let _: Void = report()
        return try await body()
    }

    private func report() async {
        var known: Set<Int> = []
        do {
            try await DeadlineQueue.shared.sleep(for: patience)
            while true {
                // Where nothing is under way, nothing waits.
                guard pool.statistics.inUse > 0 else {
                    try await DeadlineQueue.shared.sleep(for: Self.interval)
                    continue
                }
                for holder in try await holders() where known.insert(holder.pid).inserted {
                    StandardStream.error.note("Waiting for a lock that is held by \(holder.text).")
                }
                try await DeadlineQueue.shared.sleep(for: Self.interval)
            }
        } catch {
            // Done, or the database is away, which whoever waits is told of anyway.
        }
    }

    private func holders() async throws -> [LockHolder] {
        try await pool.query(.lockHolders()).map(LockHolder.init)
    }
}

/// A session that holds a lock.
struct LockHolder: Sendable {
    let pid: Int
    /// What is known of it, which for another role's session may be little.
    let text: String

    init(_ row: PostgresRow) throws {
        pid = try row.decode("pid")
        guard pid != 0 else {
            text = "a prepared transaction; see pg_prepared_xacts"
            return
        }
        let user: String = try row.decode("user_name")
        let application: String = try row.decode("application")
        let state: String = try row.decode("state")
        let age = try row.decode("age", as: Double?.self).map { " for \(TimeText.rough(.seconds($0)))" } ?? ""
        var facts = [user.isEmpty ? "" : "user \(user)", application, state.isEmpty ? "" : state + age]
        if try row.decode("is_hidden") {
            facts.append("since when is shown to members of that role and of pg_read_all_stats alone")
        }
        let known = facts.filter { !$0.isEmpty }.joined(separator: ", ").singleLine
        text = "pid \(pid)" + (known.isEmpty ? "" : " (\(known))")
    }
}

extension PostgresQuery {
    /// The sessions for which sessions of this program and role wait, by `pg_stat_activity`; of another role's session
    /// only its pid, user and application are shown, unless this role may read all statistics.
    ///
    /// Each row: `pid`, 0 for a prepared transaction; `user_name`, `application`, `state`, `age` of its transaction in
    /// seconds; `is_hidden`, whether the last two are kept from this role.
    fileprivate static func lockHolders() -> PostgresQuery {
        """
        SELECT DISTINCT holder.pid, coalesce(a.usename, '')::text AS user_name, coalesce(a.application_name, '') AS application,
            coalesce(a.state, '') AS state, coalesce(a.query = '<insufficient privilege>', false) AS is_hidden,
            extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.state_change))::float8 AS age
        FROM pg_stat_activity AS w
        CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS holder (pid)
        LEFT JOIN pg_stat_activity AS a ON a.pid = holder.pid
        WHERE w.application_name = current_setting('application_name') AND w.usename = current_user AND w.datname = current_database()
            AND w.wait_event_type = 'Lock'
        """
    }
}
