package import HTTPTypes
package import Hummingbird

/// A path and the methods it answers.
package struct APIRoute: Sendable {
    let path: RouterPath
    let methods: [HTTPRequest.Method]

    package init(_ path: RouterPath, _ methods: [HTTPRequest.Method]) {
        self.path = path
        self.methods = methods
    }

    func matches(_ request: Request) -> Bool { path.matches(request.uri.path) }
}

/// The paths of this module. Each answers GET and HEAD, and nothing else.
enum StatusPath {
    static let root: RouterPath = "/"
    static let status: RouterPath = "/internal/sync/status/{job_id}"
    static let jobs: RouterPath = "/internal/sync/jobs"
    static let health: RouterPath = "/health"
    static let live: RouterPath = "/livez"
    static let ready: RouterPath = "/readyz"
    static let metrics: RouterPath = "/metrics"
    static let job: RouterPath = "/jobs/{job_id}"
    static let style: RouterPath = "/assets/page.css"
    static let script: RouterPath = "/assets/page.js"
    static let openAPI: RouterPath = "/openapi.json"

    static let routes = [
        root, status, jobs, health, live, ready, metrics, job, style, script, openAPI,
    ].map { APIRoute($0, [.get, .head]) }

    /// What must be answered whoever asks for lists: probes of orchestrators and the gateway, and what monitors
    /// collect.
    static let apart = [[health, ready], [metrics]]

    /// What lists users and what became of their jobs; the root does so where it answers with the page.
    static let guarded = [jobs, job]
}

extension RouterPath {
    /// Whether a request's path is one of this pattern.
    func matches(_ path: String) -> Bool {
        let segments = path.split(separator: "/")
        guard segments.count == components.count else { return false }
        return zip(components, segments).allSatisfy { component, segment in
            String(describing: component).hasPrefix("{") || String(describing: component) == segment
        }
    }
}
