import HTTPTypes
import Hummingbird

/// Refuses the methods that a path does not answer.
struct MethodFilter: RouterMiddleware {
    let routes: [APIRoute]

    func handle(
        _ request: Request,
        context: APIContext,
        next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let route = routes.first(where: { $0.matches(request) }) else { return .notFound }
        if route.methods.contains(request.method) { return try await next(request, context) }
        let allowed = route.methods.map(\.rawValue).joined(separator: ", ")
        var response = Response.detail(
            "Method not allowed; this path answers \(allowed)",
            status: .methodNotAllowed
        )
        response.headers[.allow] = allowed
        return response
    }
}
