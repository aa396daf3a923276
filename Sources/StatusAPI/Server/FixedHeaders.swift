import HTTPTypes
import Hummingbird

/// Header fields of every answer: nothing is stored, nothing is guessed, nothing is framed, and while the server is
/// about to stop, no connection is used again.
struct FixedHeaders: RouterMiddleware {
    let drain: Drain

    func handle(
        _ request: Request,
        context: APIContext,
        next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        let isDraining = drain.isUnderWay
        if isDraining { context.closeAfterAnswer() }
        var response = try await next(request, context)
        if isDraining || drain.isUnderWay { response.headers[.connection] = "close" }
        response.headers[.cacheControl] = response.headers[.cacheControl] ?? "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.referrerPolicy] = "no-referrer"
        // Also of a refusal, which no HEAD endpoint has made.
        return request.method == .head ? response.createHeadResponse() : response
    }
}

extension HTTPField.Name {
    // The literal is a valid field name.
    static let referrerPolicy = HTTPField.Name("Referrer-Policy")!
}
