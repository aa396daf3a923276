import HTTPTypes
import Hummingbird
import Synchronization

/// Bounds what requests may cost: how many are answered at once, and that nobody sends a body to read.
final class RequestLimits: RouterMiddleware {
    private let maximum: Int
    private let underWay = Atomic<Int>(0)

    /// Largest body that is passed over to get at the next request of the connection.
    private static let bodyBytes = 64 * 1024

    init(maximum: Int) {
        self.maximum = maximum
    }

    func handle(
        _ request: Request,
        context: SidecarContext,
        next: @concurrent (Request, SidecarContext) async throws -> Response
    ) async throws -> Response {
        if let refusal = refusal(ofBody: request, context) { return refusal }
        let count = underWay.add(1, ordering: .relaxed).newValue
        defer { underWay.subtract(1, ordering: .relaxed) }
        // Whether this process lives can be said without an effort, and must be under any load.
        guard count <= maximum || SidecarPath.live.matches(request.uri.path) else {
            var response = Response.detail("Too many requests at once; try again", status: .serviceUnavailable)
            response.headers[.retryAfter] = "1"
            return response
        }
        return try await next(request, context)
    }

    private func refusal(ofBody request: Request, _ context: SidecarContext) -> Response? {
        if request.headers[.transferEncoding] != nil {
            // Without a length there is no telling how long it would take to pass over it.
            context.closeAfterAnswer()
            return nil
        }
        guard let length = request.headers[.contentLength].flatMap({ Int($0) }), length > Self.bodyBytes else {
            return nil
        }
        context.closeAfterAnswer()
        return .detail("No request needs a body; this one is too large", status: .contentTooLarge)
    }
}
