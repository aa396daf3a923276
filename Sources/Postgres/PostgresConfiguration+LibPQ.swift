import CLibPQ
import Foundation

extension PostgresConfiguration {
    /// Host, port, database and user as libpq understands the connection string; never the password.
    public var redactedDescription: String {
        do {
            let options = try parsedOptions()
            let names = ["host", "hostaddr", "port", "dbname", "user", "sslmode"]
            let shown = names.compactMap { name in options[name].map { "\(name)=\($0)" } }
            return shown.isEmpty ? "libpq's defaults" : shown.joined(separator: " ")
        } catch {
            return "a connection string that cannot be understood"
        }
    }

    /// Host and port of each server that may be connected to, for messages: `db1:5432, db2:5432`.
    public var addresses: String {
        do {
            let options = try parsedOptions()
            let lists = ["host", "hostaddr", "port"].map { name in
                (options[name] ?? "").split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            }
            let (hosts, addresses, ports) = (lists[0], lists[1], lists[2])
            return (0..<max(1, hosts.count, addresses.count)).map { index in
                let names = [hosts, addresses].compactMap { $0.indices.contains(index) ? $0[index] : nil }
                let name = names.first { !$0.isEmpty } ?? "the local socket"
                let port = ports.indices.contains(index) ? ports[index] : ports.last ?? ""
                return (name.contains(":") ? "[\(name)]" : name) + (port.isEmpty ? "" : ":\(port)")
            }.joined(separator: ", ")
        } catch {
            return "an address that cannot be understood"
        }
    }

    /// Reads the connection string without connecting, and looks whether the files that it names can be read: libpq
    /// goes on without some of them, and is then refused by the server or does not check it.
    ///
    /// - Throws: ``PostgresError`` with code `invalidConfiguration`; it shows no part of a password.
    public func validate() throws {
        let options = try parsedOptions()
        guard options["sslmode"] != "disable" else { return }
        for option in ["sslrootcert", "sslcert", "sslkey", "sslcrl"] {
            guard let path = options[option], !path.isEmpty, !Self.isNoFile(path, as: option) else { continue }
            guard access(path, R_OK) != 0 else { continue }
            let reason = String(cString: strerror(errno))
            throw PostgresError(
                .invalidConfiguration,
                "The file \(path) that \(option) names cannot be read: \(reason)."
            )
        }
    }

    /// Whether libpq takes the value for something else than a path: the certificates of the system, or a key in a
    /// device.
    private static func isNoFile(_ value: String, as option: String) -> Bool {
        option == "sslrootcert" && value == "system" || option == "sslkey" && value.contains(":")
    }

    /// The options that the connection string gives, with libpq's defaults for host, port, database and user.
    ///
    /// Throws a ``PostgresError`` with code `invalidConfiguration` whose text shows no part of a password, even where
    /// unescaped characters made a part of it look like a host, a port or a database.
    func parsedOptions() throws -> [String: String] {
        var options: [String: String] = [:]
        if isConnectionString {
            var complaint: UnsafeMutablePointer<CChar>?
            guard let parsed = PQconninfoParse(connectionString, &complaint) else {
                defer { PQfreemem(complaint) }
                throw Self.unreadable(withoutQuotations(singleLine(complaint)))
            }
            defer { PQconninfoFree(parsed) }
            options = values(of: parsed)
        } else if !connectionString.isEmpty {
            options["dbname"] = connectionString
        }
        try Self.checkForStrayPassword(in: options)
        if let defaults = PQconndefaults() {
            defer { PQconninfoFree(defaults) }
            options.merge(values(of: defaults)) { given, _ in given }
        }
        return options
    }

    /// The hosts to which a connection may be made without TLS, as the connection string does not insist on it; sockets
    /// of this machine are none.
    ///
    /// - Throws: ``PostgresError`` with code `invalidConfiguration`.
    public func hostsWithoutRequiredTLS() throws -> [String] {
        let options = try parsedOptions()
        guard !["require", "verify-ca", "verify-full"].contains(options["sslmode"]) else { return [] }
        let hosts = (options["host"] ?? "").split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let addresses = (options["hostaddr"] ?? "").split(separator: ",", omittingEmptySubsequences: false).map(
            String.init
        )
        return (0..<max(hosts.count, addresses.count)).compactMap { index in
            let host = hosts.indices.contains(index) ? hosts[index] : ""
            let address = addresses.indices.contains(index) ? addresses[index] : ""
            // Where there is an address, the host is a name for it and no more.
            let name = address.isEmpty ? host : address
            return name.isEmpty || name.hasPrefix("/") || name.hasPrefix("@") ? nil : name
        }
    }

    /// Calls `body` with the arrays of keywords and values for `PQconnectdbParams`, both ended by nil.
    ///
    /// Values before `dbname` yield to those of the connection string, values after it override them.
    ///
    /// - Parameters:
    ///   - host: the only one to try, of several.
    ///   - sessionAttributes: what it has to be; nil for what the connection string or the configuration says.
    func withConnectionParameters<R>(
        host: ServerHost? = nil,
        sessionAttributes: String? = nil,
        _ body: ([UnsafePointer<CChar>?], [UnsafePointer<CChar>?]) throws -> R
    ) rethrows -> R {
        var parameters: [(String, String)] = []
        if ProcessInfo.processInfo.environment["PGCONNECT_TIMEOUT"] == nil {
            let limit = host == nil ? connectTimeout : min(connectTimeout, Self.connectTimeoutOfSeveral)
            parameters.append(("connect_timeout", String(max(2, limit.components.seconds))))
        }
        if requiresWriting, ProcessInfo.processInfo.environment["PGTARGETSESSIONATTRS"] == nil {
            parameters.append(("target_session_attrs", "read-write"))
        }
        // A peer that vanished without a word is noticed within about half a minute, idle or not.
        parameters += [
            ("keepalives_idle", "20"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "30000"),
        ]
        if ProcessInfo.processInfo.environment["PGSSLMINPROTOCOLVERSION"] == nil {
            parameters.append(("ssl_min_protocol_version", "TLSv1.2"))
        }
        if let applicationName {
            parameters.append(("fallback_application_name", applicationName))
        }
        parameters += [("dbname", connectionString), ("client_encoding", "UTF8")]
        parameters += host?.parameters ?? []
        if let sessionAttributes { parameters.append(("target_session_attrs", sessionAttributes)) }
        let keywords = parameters.map { strdup($0.0) }
        let values = parameters.map { strdup($0.1) }
        defer { (keywords + values).forEach { free($0) } }
        return try body(keywords.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil])
    }

    /// For each of several hosts: another may answer. The shortest that libpq takes.
    private static let connectTimeoutOfSeveral = Duration.seconds(2)

    /// Whether libpq takes the text as a connection string; otherwise it is the name of a database.
    private var isConnectionString: Bool {
        connectionString.contains("=") || connectionString.hasPrefix("postgresql://")
            || connectionString.hasPrefix("postgres://")
    }

    /// Finds the rest of a password whose `@`, `/` or `:` was not percent-encoded in a URI.
    private static func checkForStrayPassword(in options: [String: String]) throws {
        let isPortWrong = options["port"].map { !$0.allSatisfy { $0.isNumber || $0 == "," } } ?? false
        guard isPortWrong || options["host"]?.contains("@") == true || options["dbname"]?.contains("@") == true else {
            return
        }
        throw unreadable("special characters in its user name or password must be percent-encoded (@ as %40, / as %2F)")
    }

    private static func unreadable(_ reason: String) -> PostgresError {
        PostgresError(.invalidConfiguration, "The connection string cannot be understood: \(reason)")
    }
}

/// libpq's complaint with all that it quotes left out: the quotation may hold a password.
private func withoutQuotations(_ complaint: String) -> String {
    guard let first = complaint.firstIndex(of: "\""), let last = complaint.lastIndex(of: "\""), first < last else {
        return complaint
    }
    return complaint[..<first] + "…" + complaint[complaint.index(after: last)...]
}

/// The values that are set in libpq's array of options, without the secret ones.
private func values(of options: UnsafeMutablePointer<PQconninfoOption>) -> [String: String] {
    var values: [String: String] = [:]
    var option = options
    while let keyword = option.pointee.keyword {
        let isSecret = option.pointee.dispchar.map { String(cString: $0) == "*" } ?? false
        if let value = option.pointee.val, !isSecret {
            values[String(cString: keyword)] = String(cString: value)
        }
        option += 1
    }
    return values
}
