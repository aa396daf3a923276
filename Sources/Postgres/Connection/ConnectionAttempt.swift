import CLibPQ
import Logging
import Support

/// An attempt to connect to the server of a configuration, or to one of several.
///
/// Of several each is given to libpq alone: libpq would take them in the order of the connection string every time, and
/// wait for a silent one every time.
struct ConnectionAttempt {
    /// The server that was connected to, one of several.
    struct Choice: Sendable {
        let host: ServerHost
        let key: HostOrder.Key
    }

    private let configuration: PostgresConfiguration
    private let logger: Logger
    private let order: HostOrder
    private let key: HostOrder.Key
    /// What a server has to be, for the first round through the servers and so on; nil for what the connection string
    /// says.
    private let rounds: [String?]

    /// - Throws: ``PostgresError`` with code `invalidConfiguration`.
    init(_ configuration: PostgresConfiguration, order: HostOrder = .shared, logger: Logger) throws {
        let options = try configuration.parsedOptions()
        self.configuration = configuration
        self.logger = logger
        self.order = order
        key = HostOrder.Key(hosts: ServerHost.named(in: options), requiresWriting: configuration.requiresWriting)
        rounds = options["target_session_attrs"] == "prefer-standby" ? ["standby", "any"] : [nil]
    }

    /// Blocks until a server answers or the timeouts of all have passed.
    ///
    /// - Throws: ``PostgresError`` with code `connectionFailed`.
    func connect() throws -> (LibPQConnection, Choice?) {
        guard !key.hosts.isEmpty else { return (try connect(to: nil), nil) }
        var failures: [PostgresError] = []
        var isAnyHeard = false
        for round in rounds {
            for host in order.order(of: key) {
                if isAnyHeard, order.isPassedOver(host, of: key) {
                    failures.append(PostgresError(.connectionFailed, "\(host.name) was silent a moment ago"))
                    continue
                }
                let began = ContinuousClock.now
                do {
                    let opened = try connect(to: host, sessionAttributes: round)
                    order.didConnect(to: host, of: key)
                    return (opened, Choice(host: host, key: key))
                } catch let failure as PostgresError {
                    let isRefusal = order.didFail(toConnectTo: host, of: key, after: .now - began)
                    isAnyHeard = isAnyHeard || isRefusal
                    failures.append(failure)
                }
            }
        }
        throw failed(failures.map(\.message).joined(separator: "; "), sqlState: failures.compactMap(\.sqlState).last)
    }

    private func connect(to host: ServerHost?, sessionAttributes: String? = nil) throws -> LibPQConnection {
        let began = ContinuousClock.now
        let pointer = configuration.withConnectionParameters(host: host, sessionAttributes: sessionAttributes) {
            PQconnectdbParams($0, $1, 1)
        }
        guard let pointer else {
            throw PostgresError(.connectionFailed, "No memory is left for a connection")
        }
        let refusal = PQstatus(pointer) == CONNECTION_OK ? nil : ConnectionRefusal(pointer, after: .now - began)
        let opened = LibPQConnection(taking: pointer, logger: logger)
        guard opened.isBad || PQsetnonblocking(pointer, 1) != 0 else { return opened }
        let reason =
            OpenFiles.areExhausted
            ? "\(OpenFiles.exhaustion). \(OpenFiles.advice)" : refusal?.message ?? opened.errorMessage
        guard host == nil else { throw PostgresError(.connectionFailed, reason, sqlState: refusal?.sqlState) }
        throw failed(reason, sqlState: refusal?.sqlState)
    }

    private func failed(_ reason: String, sqlState: SQLState?) -> PostgresError {
        PostgresError(
            .connectionFailed,
            "Cannot connect to PostgreSQL (\(configuration.redactedDescription)): \(reason)",
            sqlState: sqlState
        )
    }
}
