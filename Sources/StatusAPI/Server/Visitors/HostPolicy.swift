import NIOCore

/// The names under which people may call for the page and the lists.
///
/// A browser that is shown a name of an attacker's, which then resolves to this service, sends that name in `Host`
/// (DNS rebinding), and the attacker's page may read the answer. It can send neither another one nor a target with an
/// authority of its own, as proxies get, which would count in place of `Host`.
struct HostPolicy: Sendable {
    /// In lower case, without a port; an IPv6 address without brackets.
    private let names: Set<String>
    private let allowsAll: Bool

    /// - Parameters:
    ///   - names: beside loopback names and the address that a connection was made to; `*` for all.
    ///   - host: what the server listens on.
    init(names: [String], host: String) {
        self.names = Set((names + [host]).compactMap(Self.name(in:)))
        allowsAll = names.contains("*")
    }

    /// - Parameters:
    ///   - authority: the request's `Host`, with or without a port.
    ///   - localAddress: the address that the connection was made to. Whoever calls by that uses no name at all.
    func allows(_ authority: String?, localAddress: String?) -> Bool {
        guard !allowsAll else { return true }
        guard let authority, let name = Self.name(in: authority) else { return false }
        return names.contains(name) || Self.isLoopback(name) || name == localAddress.flatMap(Self.name(in:))
    }

    private static func isLoopback(_ name: String) -> Bool {
        if name == "localhost" || name.hasSuffix(".localhost") || name == "::1" { return true }
        guard case .v4 = address(name) else { return false }
        return name.hasPrefix("127.")
    }

    private static func address(_ name: String) -> SocketAddress? {
        // What is no address is a name.
        try? SocketAddress(ipAddress: name, port: 0)
    }

    /// The host of `host`, `host:port`, `[address]:port` or a bare address, as names are compared; nil if it is none of
    /// those.
    static func name(in authority: String) -> String? {
        var text = authority.lowercased()
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            guard isPort(text[text.index(after: end)...]) else { return nil }
            text = String(text[text.index(after: text.startIndex)..<end])
        } else if let colon = text.firstIndex(of: ":"), colon == text.lastIndex(of: ":") {
            guard isPort(text[colon...]) else { return nil }
            text = String(text[..<colon])
        }
        if text.hasSuffix(".") { text.removeLast() }
        guard !text.isEmpty else { return nil }
        let canonical = address(text)?.ipAddress ?? text
        // As a socket of both families shows an IPv4 address.
        let mapped = "::ffff:"
        return canonical.hasPrefix(mapped) && canonical.contains(".")
            ? String(canonical.dropFirst(mapped.count)) : canonical
    }

    private static func isPort(_ text: some StringProtocol) -> Bool {
        text.isEmpty || (text.hasPrefix(":") && text.dropFirst().utf8.allSatisfy { (0x30...0x39).contains($0) })
    }
}
