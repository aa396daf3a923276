import Foundation
import Postgres

/// Every change of status in `sync_jobs` and every row written to the tables of a sync, as triggers of the test saw
/// them.
struct JobHistory {
    /// The time between a claim and whatever ended it.
    struct Run: Sendable {
        let job: UUID
        let user: String
        let worker: String
        let start: Date
        let end: Date
        /// Status after it.
        let result: String
    }

    private let pool: PostgresPool

    /// Begins to watch. Times are taken within the transactions: a run seems to end before its end can be seen, and to
    /// begin after the last look at the queue, so that runs that do not overlap never seem to.
    static func begin(in pool: PostgresPool) async throws -> JobHistory {
        try await pool.withConnection { try await $0.runScript(triggers) }
        return JobHistory(pool: pool)
    }

    /// All runs that have ended, in the order of their start.
    func runs() async throws -> [Run] {
        let rows = try await pool.query(
            """
            SELECT s.job_id, s.user_id, s.worker, s.at AS start, e.at AS "end", e.new_status AS result
            FROM test_statuses AS s
            CROSS JOIN LATERAL (
                SELECT at, new_status FROM test_statuses AS n WHERE n.job_id = s.job_id AND n.id > s.id ORDER BY n.id LIMIT 1
            ) AS e
            WHERE s.new_status = 'running'
            ORDER BY s.at
            """
        )
        return try rows.map { row in
            Run(
                job: try row.decode("job_id"),
                user: try row.decode("user_id"),
                worker: try row.decode("worker"),
                start: try row.decode("start"),
                end: try row.decode("end"),
                result: try row.decode("result")
            )
        }
    }

    /// Pairs of runs of one user that overlap in time.
    static func overlaps(_ runs: [Run]) -> [(Run, Run)] {
        Dictionary(grouping: runs, by: \.user).values.flatMap { runs in
            zip(runs, runs.dropFirst()).filter { $0.end > $1.start }
        }
    }

    /// The most runs that were under way at once.
    static func mostAtOnce(_ runs: [Run]) -> Int {
        let changes = runs.map { ($0.start, 1) } + runs.map { ($0.end, -1) }
        var running = 0
        return changes.sorted { $0.0 < $1.0 }.reduce(0) { most, change in
            running += change.1
            return max(most, running)
        }
    }

    /// Rows written by the connections of a worker after a moment, as `table operation`. Workers are told apart by
    /// their `application_name`.
    func writes(by worker: String, after moment: Date) async throws -> [String] {
        let rows = try await pool.query(
            """
            SELECT table_name || ' ' || operation AS what FROM test_writes
            WHERE application = \(worker) AND at > \(moment) ORDER BY id
            """
        )
        return try rows.map { try $0.decode("what") }
    }

    private static let triggers = """
        CREATE TABLE test_statuses (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
            job_id uuid, user_id text, new_status text, worker text);
        CREATE TABLE test_writes (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
            application text, table_name text, operation text);
        CREATE FUNCTION test_status() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO test_statuses (job_id, user_id, new_status, worker)
            VALUES (NEW.job_id, NEW.user_id, NEW.status, NEW.worker);
            RETURN NULL;
        END
        $$;
        CREATE FUNCTION test_write() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO test_writes (application, table_name, operation)
            VALUES (current_setting('application_name'), TG_TABLE_NAME, TG_OP);
            RETURN NULL;
        END
        $$;
        CREATE TRIGGER test_status AFTER UPDATE ON sync_jobs
            FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION test_status();
        CREATE TRIGGER test_write AFTER INSERT OR UPDATE OR DELETE ON sync_jobs
            FOR EACH ROW EXECUTE FUNCTION test_write();
        CREATE TRIGGER test_write AFTER INSERT OR UPDATE OR DELETE ON sync_state
            FOR EACH ROW EXECUTE FUNCTION test_write();
        CREATE TRIGGER test_write AFTER INSERT OR UPDATE OR DELETE ON sync_logs
            FOR EACH ROW EXECUTE FUNCTION test_write();
        CREATE TRIGGER test_write AFTER INSERT OR UPDATE OR DELETE ON sync_intents
            FOR EACH ROW EXECUTE FUNCTION test_write();
        CREATE TRIGGER test_write AFTER INSERT OR UPDATE OR DELETE ON sync_failed_notes
            FOR EACH ROW EXECUTE FUNCTION test_write();
        CREATE TRIGGER test_write AFTER INSERT OR UPDATE OR DELETE ON sync_cursors
            FOR EACH ROW EXECUTE FUNCTION test_write();
        """
}
