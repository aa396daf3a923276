import HTTPTypes
import Hummingbird

/// Header fields of every answer: nothing is stored, nothing is guessed, nothing is framed.
struct FixedHeaders: RouterMiddleware {
    func handle(
        _ request: Request,
        context: APIContext,
        next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        response.headers[.cacheControl] = response.headers[.cacheControl] ?? "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.referrerPolicy] = "no-referrer"
        return response
    }
}

extension HTTPField.Name {
    // The literal is a valid field name.
    static let referrerPolicy = HTTPField.Name("Referrer-Policy")!
}
