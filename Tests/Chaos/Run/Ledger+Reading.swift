import ChaosChecker
import Foundation
import Postgres
import TestSupport

extension Ledger {
    /// Reads everything that the checker wants of the database.
    func read(into history: inout History) async throws {
        history.changes = try Self.decode(try await pool.query(Self.changes))
        history.jobs = try await rows(
            """
            SELECT jsonb_build_object('job', job_id, 'user', user_id, 'status', status, 'total', coalesce(total_notes, 0),
                'processed', coalesce(processed_notes, 0), 'failed', coalesce(failed_notes, 0),
                'isClosed', completed_at IS NOT NULL, 'error', coalesce(error_message, last_error))::text
            FROM sync_jobs
            """
        )
        history.states = try await rows(
            """
            SELECT jsonb_build_object('user', user_id, 'note', keep_note_id, 'page', notion_page_id)::text FROM sync_state
            """
        )
        history.failedNotes = try await rows(
            "SELECT jsonb_build_object('user', user_id, 'note', keep_note_id)::text FROM sync_failed_notes"
        )
        history.gates = try await rows(
            """
            SELECT jsonb_build_object('gate', gate, 'closedFor', sync_gate_closed_for(g, clock_timestamp()),
                'isBroken', opened_at IS NOT NULL, 'permits', permits + permits_before,
                'ahead', coalesce(greatest(extract(epoch FROM next_at - clock_timestamp()), 0), 0))::text
            FROM sync_gates AS g
            """
        )
        history.texts += try await tables()
    }

    /// Reads what a server knew that was lost.
    static func readLost(on connection: PostgresConnection) async throws -> (changes: [History.Change], leases: [Lease])
    {
        let changes: [History.Change] = try decode(try await connection.query(Self.changes))
        let leases: [Lease] = try decode(
            try await connection.query(
                """
                SELECT jsonb_build_object('lease', lease, 'expiresAt', (extract(epoch FROM expires_at) * 1000000)::bigint)::text
                FROM chaos_leases
                """
            )
        )
        return (changes, leases)
    }

    struct Lease: Decodable {
        var lease: Int
        var expiresAt: History.Instant
    }

    private static let changes: PostgresQuery = """
        SELECT jsonb_build_object('number', number, 'at', (extract(epoch FROM at) * 1000000)::bigint,
            'transaction', transaction, 'by', by, 'table', table_name, 'operation', operation,
            'old', old, 'new', new, 'held', held)::text
        FROM chaos_history ORDER BY number
        """

    private func rows<Row: Decodable>(_ query: PostgresQuery) async throws -> [Row] {
        try Self.decode(try await pool.query(query))
    }

    private static func decode<Row: Decodable>(_ rows: PostgresRows) throws -> [Row] {
        let decoder = JSONDecoder()
        return try rows.map { row in
            try decoder.decode(Row.self, from: Data(try row.decode(at: 0, as: String.self).utf8))
        }
    }

    /// Every row of every table, as text.
    private func tables() async throws -> [History.Text] {
        let names = try await pool.query(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'chaos_history'"
        )
        var texts: [History.Text] = []
        for name in names {
            let name: String = try name.decode(at: 0)
            let rows = try await pool.query("SELECT t::text FROM \(identifier: PostgresIdentifier(name)) AS t")
            texts += try rows.map { History.Text(place: "table \(name)", text: try $0.decode(at: 0)) }
        }
        return texts
    }
}
