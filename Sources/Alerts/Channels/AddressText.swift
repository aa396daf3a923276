import Foundation

/// What may be said of an address: scheme and host. The rest lets anyone post.
enum AddressText {
    static func shown(_ url: String) -> String {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme, let host = parts.host else {
            return "unreadable address"
        }
        return "\(scheme)://\(host)"
    }

    /// The host in lower case, an IPv6 address without its brackets; nil if there is none.
    static func host(of url: String) -> String? {
        URLComponents(string: url)?.host?.lowercased().trimmingCharacters(in: ["[", "]"])
    }
}
