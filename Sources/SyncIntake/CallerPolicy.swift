import HTTPTypes
import Hummingbird
import StatusAPI
import Telemetry

/// Who may call the POST routes: no web page, and where a token is set, only who shows it.
struct CallerPolicy: Sendable {
    /// The token; nil where none is asked for.
    private let token: AccessToken?

    init(token: Sensitive<String>?) {
        self.token = token.map { AccessToken($0) }
    }

    /// The answer to a caller who may not; nil for one who may.
    func refusal(of request: Request) -> Response? {
        // Browsers set these themselves, and a page cannot leave them out. Neither the gateway nor the admin interface
        // sends one: its own pages call its own server.
        guard request.headers[.origin] == nil, request.headers[.secFetchSite] == nil else {
            return .detail("Requests from web pages (with Origin or Sec-Fetch-Site) are refused", status: .forbidden)
        }
        guard let token, !token.isBearer(of: request) else { return nil }
        var response = Response.detail("Show the bearer token of SYNC_INTAKE_TOKEN", status: .unauthorized)
        response.headers[.wwwAuthenticate] = "Bearer"
        return response
    }
}

extension HTTPField.Name {
    // The literal is a valid field name.
    static let secFetchSite = HTTPField.Name("Sec-Fetch-Site")!
}
