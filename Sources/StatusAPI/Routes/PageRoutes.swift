import HTTPTypes
import Hummingbird
import JobQueue
import NIOCore

/// A job's page, and the style and script of all pages.
struct PageRoutes: Sendable {
    let source: StatusSource

    func add(to router: Router<APIContext>) {
        router.get(StatusPath.job) { _, context in
            guard let id = JobID(parsing: try context.parameters.require("job_id")) else {
                throw BadRequest(detail: "Invalid job_id format")
            }
            return try await JobPage.response(id, source)
        }
        router.get(StatusPath.style) { _, _ in
            Self.asset(PackageResources.page_css, "text/css; charset=utf-8")
        }
        router.get(StatusPath.script) { _, _ in
            Self.asset(PackageResources.page_js, "text/javascript; charset=utf-8")
        }
    }

    private static func asset(_ bytes: [UInt8], _ contentType: String) -> Response {
        var response = Response(.ok, contentType, ByteBuffer(bytes: bytes))
        response.headers[.cacheControl] = "public, max-age=60"
        return response
    }
}
