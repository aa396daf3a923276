import ChaosChecker
import Foundation
import Postgres
import TestSupport

extension Ledger {
    /// Reads everything that the checker wants of the database.
    func read(into history: inout History) async throws {
        history.changes = try await rows(
            """
            SELECT jsonb_build_object('number', number, 'at', (extract(epoch FROM at) * 1000000)::bigint,
                'transaction', transaction, 'by', by, 'table', table_name, 'operation', operation,
                'old', old, 'new', new, 'held', held)::text
            FROM chaos_history ORDER BY number
            """
        )
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
        history.texts += try await tables()
    }

    private func rows<Row: Decodable>(_ query: PostgresQuery) async throws -> [Row] {
        let decoder = JSONDecoder()
        return try await database.pool.query(query).map { row in
            try decoder.decode(Row.self, from: Data(try row.decode(at: 0, as: String.self).utf8))
        }
    }

    /// Every row of every table, as text.
    private func tables() async throws -> [History.Text] {
        let names = try await database.pool.query(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'chaos_history'"
        )
        var texts: [History.Text] = []
        for name in names {
            let name: String = try name.decode(at: 0)
            let rows = try await database.pool.query("SELECT t::text FROM \(identifier: PostgresIdentifier(name)) AS t")
            texts += try rows.map { History.Text(place: "table \(name)", text: try $0.decode(at: 0)) }
        }
        return texts
    }
}
