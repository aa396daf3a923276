package import CurlHTTP
import Foundation

/// One question to a peer: whether it is there.
package struct PeerProbe: Sendable {
    /// Why a peer is taken to be away.
    package struct Fault: Sendable, Equatable {
        package var reason: String
        /// It took the connection and did not answer, as a busy Keep Extractor does.
        package var isSilence = false
    }

    let http: HTTPClient
    let timeout: Duration

    package init(http: HTTPClient, timeout: Duration = .seconds(5)) {
        self.http = http
        self.timeout = timeout
    }

    /// - Returns: what is wrong; nil if nothing is.
    package func fault(of peer: AlertRules.Peer) async -> Fault? {
        do {
            let request = HTTPRequest(
                url: try HTTPRequest.url(base: peer.url, path: "/health"),
                timeout: timeout,
                maximumResponseBytes: 64 * 1024
            )
            let response = try await http.execute(request)
            return response.isSuccess ? nil : Fault(reason: "GET /health answers \(response.status)")
        } catch let error as CurlHTTPError {
            return Fault(reason: error.reason, isSilence: error.code == .timedOut && error.requestMayHaveBeenSent)
        } catch {
            return Fault(reason: "\(error)")
        }
    }
}
