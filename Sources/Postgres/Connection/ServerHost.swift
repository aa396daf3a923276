/// One of several servers that a connection string names.
struct ServerHost: Hashable, Sendable {
    /// nil where only the address is given.
    var host: String?
    /// Its IP address, if the connection string has one.
    var address: String?
    /// nil for the port that all of them have.
    var port: String?

    /// For messages.
    var name: String { (address ?? host ?? "") + (port.map { ":\($0)" } ?? "") }

    /// The keywords of libpq that name this server alone.
    var parameters: [(String, String)] {
        [("host", host), ("hostaddr", address), ("port", port)].compactMap { keyword, value in
            value.map { (keyword, $0) }
        }
    }

    /// The servers that libpq's options name, in their order. Empty unless there are several: one server needs no
    /// order. Also empty where libpq alone knows them, as with a service file, or has to say what is wrong with them.
    static func named(in options: [String: String]) -> [ServerHost] {
        guard options["service"] == nil else { return [] }
        let (hosts, addresses, ports) = (list(options["host"]), list(options["hostaddr"]), list(options["port"]))
        let count = max(hosts.count, addresses.count)
        let isComplete = [hosts, addresses].allSatisfy { $0.isEmpty || $0.count == count && !$0.contains("") }
        guard count > 1, isComplete, ports.count <= 1 || ports.count == count else { return [] }
        return (0..<count).map { index in
            ServerHost(
                host: hosts.isEmpty ? nil : hosts[index],
                address: addresses.isEmpty ? nil : addresses[index],
                port: ports.count == count ? (ports[index].isEmpty ? defaultPort : ports[index]) : nil
            )
        }
    }

    private static let defaultPort = "5432"

    private static func list(_ text: String?) -> [String] {
        guard let text, !text.isEmpty else { return [] }
        return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
}
