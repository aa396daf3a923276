import Telemetry

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension SettingType where Value == String {
    /// The base URL of a service, without a slash at its end.
    static func baseURL(example: String) -> Self {
        Self(
            name: "URL",
            allowed: "an address such as \(example): http or https, a host, "
                + "no user name, password, query or fragment",
            parse: { text in
                guard isWebAddress(text), let parts = URLComponents(string: text), parts.user == nil,
                    parts.password == nil, parts.query == nil, parts.fragment == nil
                else { return nil }
                let end = text.lastIndex { $0 != "/" } ?? text.startIndex
                return String(text[...end])
            },
            format: { $0 }
        )
    }

    private static func isWebAddress(_ text: String) -> Bool {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let parts = URLComponents(string: text),
            let scheme = parts.scheme?.lowercased(), let host = parts.host, !host.isEmpty
        else { return false }
        return ["http", "https"].contains(scheme) && (parts.port.map { (1...65_535).contains($0) } ?? true)
    }

    /// A web address that is itself a secret.
    static var webAddress: Self {
        text("URL", "an address that begins with http:// or https:// and has a host", where: isWebAddress)
    }
}

extension SettingType where Value == String {
    /// A token that callers show in a header field.
    static var bearerToken: Self {
        text("token", "16 to 1024 printable ASCII characters without spaces") { text in
            (16...1024).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        }
    }
}

extension SettingType where Value == Int {
    /// A TCP port.
    static var port: Self {
        Self(
            name: "port",
            allowed: "a TCP port from 1 to 65535 (Kubernetes sets a variable of this name for a Service called `sync`"
                + " or `sync-service`: put enableServiceLinks: false into the pod)",
            parse: { text in Int(text).flatMap { (1...65_535).contains($0) ? $0 : nil } },
            format: { String($0) }
        )
    }
}

extension SettingType where Value == Sensitive<String> {
    /// The type `inner` for a value that must never be shown.
    static func secret(_ inner: SettingType<String>) -> Self {
        Self(
            name: inner.name,
            allowed: inner.allowed,
            parse: { inner.parse($0).map { Sensitive($0) } },
            format: { inner.format($0.value) }
        )
    }

    /// A PostgreSQL connection string in either of libpq's forms, or a URL of SQLAlchemy, which becomes one of libpq.
    ///
    /// One in keywords without a password is what a log says of the database anyway.
    static var connectionString: Self {
        var type = secret(
            SettingType<String>(
                name: "connection string",
                allowed:
                    "a connection string as libpq takes it: postgresql://user:password@host:port/database?sslmode=… "
                    + "or host=… dbname=… (a driver in the scheme, as in postgresql+psycopg2://, is passed over)",
                parse: { text in
                    let scheme = text.firstRange(of: "://").map { text[..<$0.lowerBound] }
                    guard let scheme, !scheme.contains("=") else { return text.contains("=") ? text : nil }
                    if ["postgresql", "postgres"].contains(scheme) { return text }
                    return SQLAlchemyURL(text)?.libpq
                },
                format: { $0 }
            )
        )
        type.holdsSecret = { $0.contains("://") || $0.contains("password") }
        return type
    }
}
