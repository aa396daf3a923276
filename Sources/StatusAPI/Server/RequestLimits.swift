import HTTPTypes
package import Hummingbird
import Support

/// Bounds what requests may cost: how many are answered at once, of these how many of one visitor, and how large a body
/// may be.
final class RequestLimits: RouterMiddleware {
    /// Requests that are answered at once.
    private final class Room: Sendable {
        private struct State {
            var count = 0
            var countByVisitor: [String: Int] = [:]
        }

        private let maximum: Int
        private let state = Mutex(State())

        init(maximum: Int) {
            self.maximum = maximum
        }

        /// Nobody has all of it: there is room for somebody else.
        private var maximumOfVisitor: Int { maximum * 3 / 4 }

        func enter(_ visitor: String) -> Bool {
            state.withLock { state in
                let own = state.countByVisitor[visitor] ?? 0
                guard state.count < maximum, own < maximumOfVisitor else { return false }
                state.count += 1
                state.countByVisitor[visitor] = own + 1
                return true
            }
        }

        func leave(_ visitor: String) {
            state.withLock { state in
                state.count -= 1
                let own = (state.countByVisitor[visitor] ?? 1) - 1
                state.countByVisitor[visitor] = own > 0 ? own : nil
            }
        }
    }

    private let apart: [[RouterPath]]
    private let unlimited: [RouterPath]
    /// That of each group of paths, and last that of all others.
    private let rooms: [Room]

    /// Largest body that is read, or passed over to get at the next request of the connection.
    static let bodyBytes = 64 * 1024

    /// - Parameters:
    ///   - maximum: requests that are answered at once, but for what follows.
    ///   - apart: groups of paths that have room of their own, a quarter as much each.
    ///   - unlimited: paths that are answered however many requests are under way. The number of connections bounds
    ///     them.
    init(maximum: Int, apart: [[RouterPath]], unlimited: [RouterPath]) {
        self.apart = apart
        self.unlimited = unlimited
        rooms = apart.map { _ in Room(maximum: maximum / 4) } + [Room(maximum: maximum)]
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
        let group = apart.firstIndex { $0.contains { $0.matches(request.uri.path) } }
        let room = rooms[group ?? apart.count]
        let visitor = context.visitor
        guard room.enter(visitor) else {
            var response = Response.detail("Too many requests at once; try again", status: .serviceUnavailable)
            response.headers[.retryAfter] = "1"
            return response
        }
        defer { room.leave(visitor) }
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
