import HTTPTypes
import Hummingbird

/// Refuses every method but GET and HEAD on the paths that there are.
struct MethodFilter: RouterMiddleware {
    let paths: [RouterPath]

    private static let allowed = "GET, HEAD"

    func handle(
        _ request: Request,
        context: SidecarContext,
        next: @concurrent (Request, SidecarContext) async throws -> Response
    ) async throws -> Response {
        if request.method == .get || request.method == .head { return try await next(request, context) }
        guard paths.contains(where: { $0.matches(request.uri.path) }) else { return .notFound }
        var response = Response.detail("Method not allowed; this service only reads", status: .methodNotAllowed)
        response.headers[.allow] = Self.allowed
        return response
    }
}
