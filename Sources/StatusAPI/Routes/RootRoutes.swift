import HTTPTypes
import Hummingbird
import NIOCore
import Settings

/// What this is, and how to use it.
struct RootRoutes: Sendable {
    let source: StatusSource
    let openAPI: OpenAPIDocument

    /// Whether the root is asked for its page.
    static func isForPeople(_ request: Request) -> Bool {
        request.headers[.accept]?.contains("text/html") == true
    }

    func add(to router: Router<APIContext>) {
        router.get(StatusPath.root) { request, _ in
            var response: Response
            if Self.isForPeople(request) {
                response = await StatusPage.response(source)
            } else {
                response = Response.json([
                    "service": .string(APIServer.serviceName),
                    "version": .string(ServiceVersion.current),
                    "status": "running",
                ])
            }
            response.headers[.vary] = "Accept"
            return response
        }
        router.get(StatusPath.openAPI) { _, _ in
            Response(.ok, "application/json", ByteBuffer(bytes: openAPI.bytes))
        }
    }
}
