import HTTPTypes
import Hummingbird

/// Refuses visitors who may not see the page and the lists: those who call by a name of somebody else's, and, where a
/// token is set, those who do not show it.
///
/// What gateway and admin interface call, probes and metrics are answered under any name and without this token: they
/// are called by whatever the network calls this service, and hold no list of users. A request with two `Host` fields
/// is refused everywhere.
struct VisitorFilter: RouterMiddleware {
    let hosts: HostPolicy
    /// nil where none is asked for.
    let token: AccessToken?

    func handle(
        _ request: Request,
        context: APIContext,
        next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        // The first one is the request's authority.
        guard request.headers[.host] == nil else {
            context.closeAfterAnswer()
            return .detail("The request has more than one Host field", status: .badRequest)
        }
        if Self.isGuarded(request), let refusal = refusal(of: request, context) { return refusal }
        return try await next(request, context)
    }

    private static func isGuarded(_ request: Request) -> Bool {
        if StatusPath.root.matches(request.uri.path) { return RootRoutes.isForPeople(request) }
        return StatusPath.guarded.contains { $0.matches(request.uri.path) }
    }

    private func refusal(of request: Request, _ context: APIContext) -> Response? {
        guard hosts.allows(request.head.authority, localAddress: context.localAddress) else {
            return .detail(
                "This service is not known by the name in Host; SYNC_SERVICE_HOSTS lists the names it has",
                status: .misdirectedRequest
            )
        }
        guard let token, !token.isBearer(of: request), !token.isPassword(of: request) else { return nil }
        var response = Response.detail(
            "Show the token of SYNC_SERVICE_TOKEN, as a bearer token or as the password",
            status: .unauthorized
        )
        response.headers[values: .wwwAuthenticate] = ["Bearer", #"Basic realm="sync-service", charset="UTF-8""#]
        return response
    }
}

extension HTTPField.Name {
    // The literal is a valid field name.
    static let host = HTTPField.Name("Host")!
}
