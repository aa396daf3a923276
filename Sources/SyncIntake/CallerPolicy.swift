import COpenSSL
import HTTPTypes
import Hummingbird
import StatusAPI
import Telemetry

/// Who may call the POST routes: no web page, and where a token is set, only who shows it.
struct CallerPolicy: Sendable {
    /// The token; nil where none is asked for.
    private let token: [UInt8]?

    init(token: Sensitive<String>?) {
        self.token = token.map { Array($0.value.utf8) }
    }

    /// The answer to a caller who may not; nil for one who may.
    func refusal(of request: Request) -> Response? {
        // Browsers set these themselves, and a page cannot leave them out. Neither the gateway nor the admin interface sends
        // one: its own pages call its own server.
        guard request.headers[.origin] == nil, request.headers[.secFetchSite] == nil else {
            return .detail("Requests from web pages (with Origin or Sec-Fetch-Site) are refused", status: .forbidden)
        }
        guard let token else { return nil }
        guard let shown = Self.bearer(request.headers[.authorization]), Self.isEqual(shown, token) else {
            var response = Response.detail(
                "Show the bearer token of SYNC_INTAKE_TOKEN",
                status: .unauthorized
            )
            response.headers[.wwwAuthenticate] = "Bearer"
            return response
        }
        return nil
    }

    private static func bearer(_ authorization: String?) -> [UInt8]? {
        guard let authorization else { return nil }
        let parts = authorization.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return Array(parts[1].utf8)
    }

    /// Takes as long for a wrong token as for the right one of that length.
    private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }
}

extension HTTPField.Name {
    // The literal is a valid field name.
    static let secFetchSite = HTTPField.Name("Sec-Fetch-Site")!
}
