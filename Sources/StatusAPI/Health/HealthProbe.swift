import CurlHTTP

/// One question to a dependency: whether it is there.
struct HealthProbe: Sendable {
    let dependency: Dependency
    /// Returns false, or throws, if it is not.
    let isUp: @Sendable () async throws -> Bool
    /// Whether callers wait for an answer that is under way.
    var isAwaited = true

    /// A busy extractor answers slowly and is not down for that; one that takes longer is.
    private static let peerTimeout = Duration.seconds(5)

    static func database(_ reader: DatabaseReader) -> HealthProbe {
        HealthProbe(dependency: .database) {
            try await reader.probe()
            return true
        }
    }

    /// Whether the verdict finds nothing wrong. It reads several tables, and many callers at once are not to wait for
    /// that: `HealthWatch` asks now and then anyway.
    static func work(_ reader: DatabaseReader) -> HealthProbe {
        HealthProbe(dependency: .work, isUp: { try await !reader.isAnythingWrong() }, isAwaited: false)
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
