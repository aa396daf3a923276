import Hummingbird

/// The paths that are answered. Each with GET and HEAD, none with anything else.
enum SidecarPath {
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

    static let all = [root, status, jobs, health, live, ready, metrics, job, style, script, openAPI]
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
