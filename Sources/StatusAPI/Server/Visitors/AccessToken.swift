import COpenSSL
import Foundation
import HTTPTypes
package import Hummingbird
package import Telemetry

/// A secret that callers show in `Authorization`.
package struct AccessToken: Sendable {
    private let bytes: [UInt8]

    package init(_ token: Sensitive<String>) {
        bytes = Array(token.value.utf8)
    }

    /// Whether a request shows it as a bearer token.
    package func isBearer(of request: Request) -> Bool {
        Self.credentials("bearer", request).map { isEqual(to: Array($0.utf8)) } ?? false
    }

    /// Whether a request shows it as the password of HTTP's basic authentication, whatever the user name: a browser
    /// asks for that and sends no bearer token.
    package func isPassword(of request: Request) -> Bool {
        guard let text = Self.credentials("basic", request), let data = Data(base64Encoded: text),
            let colon = data.firstIndex(of: UInt8(ascii: ":"))
        else { return false }
        return isEqual(to: Array(data[data.index(after: colon)...]))
    }

    private static func credentials(_ scheme: String, _ request: Request) -> String? {
        guard let authorization = request.headers[.authorization] else { return nil }
        let parts = authorization.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == scheme else { return nil }
        return String(parts[1])
    }

    /// Takes as long for a wrong token as for the right one of that length.
    private func isEqual(to shown: [UInt8]) -> Bool {
        shown.count == bytes.count && CRYPTO_memcmp(shown, bytes, bytes.count) == 0
    }
}
