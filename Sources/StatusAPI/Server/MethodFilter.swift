import HTTPTypes
import Hummingbird

/// Refuses the methods that a path does not answer.
struct MethodFilter: RouterMiddleware {
    let routes: [APIRoute]
    /// What to say of paths that another program answers.
    var hints: [(path: RouterPath, text: String)] = []

    func handle(
        _ request: Request,
        context: APIContext,
        next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let route = routes.first(where: { $0.matches(request) }) else {
            let hint = hints.first { $0.path.matches(request.uri.path) }
            return hint.map { .detail($0.text, status: .notFound) } ?? .notFound
        }
        if route.methods.contains(request.method) { return try await next(request, context) }
        let allowed = route.methods.map(\.rawValue).joined(separator: ", ")
        var response = Response.detail(
            "Method not allowed; use \(allowed)",
            status: .methodNotAllowed
        )
        response.headers[.allow] = allowed
        return response
    }
}
