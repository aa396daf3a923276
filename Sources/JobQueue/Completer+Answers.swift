internal import Postgres

/// What the database says of results.
extension Completer {
    func acknowledgements(_ rows: PostgresRows) throws -> ([JobID: Acknowledgement], blocked: Set<JobID>) {
        var answers: [JobID: Acknowledgement] = [:]
        var blocked: Set<JobID> = []
        for row in rows {
            let id = JobID(try row.decode("job_id"))
            guard let word = try row.decode("status", as: String?.self) else {
                blocked.insert(id)
                continue
            }
            let status = JobStatus(rawValue: word)
            answers[id] = .recorded(
                status ?? .queued,
                error: try row.decode("error"),
                delay: .seconds(try row.decode("delay", as: Double.self))
            )
        }
        return (answers, blocked)
    }

    func addCommitted(_ finishes: [JobFinish], to answers: inout [JobID: Acknowledgement]) async throws {
        let missing = finishes.filter { answers[$0.id] == nil }
        let rows = try await pool.query(.statuses(of: missing.map(\.id)))
        for row in rows {
            let id = JobID(try row.decode("job_id"))
            let status = JobStatus(rawValue: try row.decode("status", as: String.self))
            guard let status, let finish = missing.first(where: { $0.id == id }) else { continue }
            // A retry past its budget has become a failure.
            guard status == finish.status || (status == .failed && finish.status == .queued) else { continue }
            answers[id] = .recorded(status, error: finish.error, delay: finish.delay)
        }
    }
}
