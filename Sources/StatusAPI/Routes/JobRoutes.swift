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
        let page = try await source.reader.read { _ in
            try await jobs.page(user: query.user, status: query.status, after: query.cursor, limit: query.limit)
        }
        return .json(["jobs": .array(page.jobs.map { .entry(of: $0) }), "next_cursor": .string(page.next?.text)])
    }
}
