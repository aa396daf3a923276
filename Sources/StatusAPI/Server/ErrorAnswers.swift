import HTTPTypes
import Hummingbird
import Logging

/// Turns what the routes throw into answers of the one form, `{"detail": …}`.
struct ErrorAnswers: RouterMiddleware {
    func handle(
        _ request: Request,
        context: APIContext,
        next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as DatabaseAway {
            context.logger.debug("The database is away", metadata: ["error": "\(error.cause)"])
            var response = Response.detail(error.detail, status: .serviceUnavailable)
            response.headers[.retryAfter] = "2"
            return response
        } catch let error as BadRequest {
            return .detail(error.detail, status: .badRequest)
        } catch let error as any HTTPResponseError {
            return error.status == .notFound ? .notFound : .detail(error.status.reasonPhrase, status: error.status)
        } catch {
            context.logger.error("A request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return .detail("Internal error; see this program's log", status: .internalServerError)
        }
    }
}

/// A request that cannot be understood.
package struct BadRequest: Error {
    let detail: String

    package init(detail: String) {
        self.detail = detail
    }
}
