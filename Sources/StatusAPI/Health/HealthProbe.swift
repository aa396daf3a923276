import CurlHTTP

/// One question to a dependency: whether it is there.
struct HealthProbe: Sendable {
    let dependency: Dependency
    /// Returns false, or throws, if it is not.
    let isUp: @Sendable () async throws -> Bool

    /// A busy extractor answers slowly and is not down for that; one that takes longer is.
    private static let peerTimeout = Duration.seconds(5)

    static func database(_ reader: DatabaseReader) -> HealthProbe {
        HealthProbe(dependency: .database) {
            try await reader.probe()
            return true
        }
    }

    static func work(_ reader: DatabaseReader, heartbeatAge: Duration) -> HealthProbe {
        HealthProbe(dependency: .work) { try await reader.isWorkDone(age: heartbeatAge) }
    }

    static func peer(_ dependency: Dependency, url: String, http: HTTPClient) -> HealthProbe {
        HealthProbe(dependency: dependency) {
            let request = HTTPRequest(
                url: try HTTPRequest.url(base: url, path: "/health"),
                timeout: peerTimeout,
                maximumResponseBytes: 64 * 1024
            )
            return try await http.execute(request).isSuccess
        }
    }
}
