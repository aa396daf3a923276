#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension PeerSettings {
    /// One warning for each address outside this machine that is or may be spoken to without TLS, unless its host is in
    /// ``privateHosts``.
    ///
    /// - Parameter databaseHosts: hosts of the database to which a connection may be made without TLS.
    public func clearTextWarnings(databaseHosts: [String]) -> [String] {
        let peers = [
            (SettingsKeys.keepExtractorURL.name, keepExtractorURL),
            (SettingsKeys.notionWriterURL.name, notionWriterURL),
        ]
        let ofPeers = peers.compactMap { name, url -> String? in
            guard let parts = URLComponents(string: url), parts.scheme?.lowercased() == "http", let host = parts.host,
                isOutside(host)
            else { return nil }
            return "\(name): notes and tokens go to \(host) without TLS. Use https://, \(Self.advice)"
        }
        let ofDatabase = databaseHosts.filter(isOutside).map { host in
            "\(SettingsKeys.databaseURL.name): the connection to \(host) may be without TLS. Add sslmode=verify-full, \(Self.advice)"
        }
        return ofPeers + ofDatabase
    }

    private static let advice =
        "or name the host in \(SettingsKeys.privateHosts.name) if it is reached over a network of your own"

    private func isOutside(_ host: String) -> Bool {
        let name = HostName.bare(host)
        let isLoopback = name == "localhost" || name.hasSuffix(".localhost") || name == "::1" || name.isLoopbackAddress
        return !isLoopback && !privateHosts.contains(name)
    }
}

extension String {
    /// Four numbers, the first of them 127.
    fileprivate var isLoopbackAddress: Bool {
        let parts = split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
