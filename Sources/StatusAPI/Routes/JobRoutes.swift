import Hummingbird
import JobQueue

/// What programs ask about jobs.
struct JobRoutes: Sendable {
    let source: StatusSource

    func add(to router: Router<APIContext>) {
        router.get(StatusPath.status) { _, context in
            // Of a uuid nothing is encoded.
            let text = try context.parameters.require("job_id")
            guard let id = JobID(parsing: text) else { throw BadRequest(detail: "Invalid job_id format") }
            return try await status(id)
        }
        router.get(StatusPath.jobs) { request, _ in
            try await list(try JobListQuery(request.uri.query ?? ""))
        }
    }

    private func status(_ id: JobID) async throws -> Response {
        let jobs = source.reader.jobs
        guard let job = try await source.reader.read({ _ in try await jobs.job(id) }) else {
            return .detail("Sync job \(id) not found", status: .notFound)
        }
        return .json(.status(of: job))
    }

    private func list(_ query: JobListQuery) async throws -> Response {
        let jobs = source.reader.jobs
        // One more than asked for tells whether there are more.
        let found = try await source.reader.read { _ in
            try await jobs.jobs(user: query.user, status: query.status, after: query.cursor, limit: query.limit + 1)
        }
        let page = found.prefix(query.limit)
        let next = found.count > query.limit ? page.last.map { JobCursor(after: $0).text } : nil
        return .json(["jobs": .array(page.map { .entry(of: $0) }), "next_cursor": .string(next)])
    }
}
