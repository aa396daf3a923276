import HTTPTypes
package import Hummingbird
import Support

/// Bounds what requests may cost: how many are answered at once, and how large a body may be.
final class RequestLimits: RouterMiddleware {
    private let maximum: Int
    private let unlimited: [RouterPath]
    private let underWay = Atomic<Int>(0)

    /// Largest body that is read, or passed over to get at the next request of the connection.
    static let bodyBytes = 64 * 1024

    /// - Parameter unlimited: paths that are answered however many requests are under way. The number of connections
    ///   bounds them.
    init(maximum: Int, unlimited: [RouterPath]) {
        self.maximum = maximum
        self.unlimited = unlimited
    }

    func handle(
        _ request: Request,
        context: APIContext,
        next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        if let refusal = refusal(ofBody: request, context) { return refusal }
        guard !unlimited.contains(where: { $0.matches(request.uri.path) }) else {
            return try await next(request, context)
        }
        let count = underWay.add(1, ordering: .relaxed).newValue
        defer { underWay.subtract(1, ordering: .relaxed) }
        guard count <= maximum else {
            var response = Response.detail("Too many requests at once; try again", status: .serviceUnavailable)
            response.headers[.retryAfter] = "1"
            return response
        }
        return try await next(request, context)
    }

    private func refusal(ofBody request: Request, _ context: APIContext) -> Response? {
        if request.headers[.transferEncoding] != nil {
            // Without a length there is no telling how long it would take to pass over it.
            context.closeAfterAnswer()
            return nil
        }
        guard let length = request.headers[.contentLength].flatMap({ Int($0) }), length > Self.bodyBytes else {
            return nil
        }
        context.closeAfterAnswer()
        return .bodyTooLarge
    }
}

extension Response {
    package static var bodyTooLarge: Response {
        .detail("The body is too large; at most \(RequestLimits.bodyBytes) bytes are read", status: .contentTooLarge)
    }
}
