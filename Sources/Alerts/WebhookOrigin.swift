import Foundation

/// What may be said of a webhook's address: scheme and host. The rest lets anyone post.
enum WebhookOrigin {
    static func name(of url: String?) -> String {
        guard let url, !url.isEmpty else { return "none" }
        guard let parts = URLComponents(string: url), let scheme = parts.scheme, let host = parts.host else {
            return "unreadable"
        }
        return "\(scheme)://\(host)"
    }
}
