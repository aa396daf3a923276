/// The settings of a connection.
public struct PostgresConfiguration: Sendable {
    /// A connection string or URI, handed to libpq as it is: every keyword, environment variable, service and password
    /// file of libpq works.
    ///
    /// Source: PostgreSQL documentation, chapter "libpq", section "Connection Strings".
    public var connectionString: String
    /// The name shown in `pg_stat_activity`, unless the connection string gives one.
    public var applicationName: String?
    /// The longest time to connect, in whole seconds, unless the connection string gives `connect_timeout`. Where it
    /// names several hosts, each has 2 s at most.
    public var connectTimeout: Duration
    /// The longest time a statement may take before it is cancelled; nil for no bound.
    ///
    /// A server that stays silent even then has its connection closed.
    public var queryTimeout: Duration?
    /// How long the server has to answer a request to cancel a statement before the connection is closed.
    public var cancelGrace: Duration
    /// Whether only a server that takes writes will do, unless the connection string gives `target_session_attrs`: of
    /// several hosts the one that is not a standby.
    public var requiresWriting: Bool
    /// Where it is kept what the statements have changed; nil: nobody asks.
    public var changes: ChangeRecord?

    public init(
        connectionString: String,
        applicationName: String? = nil,
        connectTimeout: Duration = .seconds(10),
        queryTimeout: Duration? = .seconds(30),
        cancelGrace: Duration = .seconds(2),
        requiresWriting: Bool = false
    ) {
        self.connectionString = connectionString
        self.applicationName = applicationName
        self.connectTimeout = connectTimeout
        self.queryTimeout = queryTimeout
        self.cancelGrace = cancelGrace
        self.requiresWriting = requiresWriting
    }
}

extension PostgresConfiguration: CustomStringConvertible, CustomDebugStringConvertible {
    /// The description is the redacted one, so that printing a configuration shows no password.
    public var description: String { redactedDescription }
    public var debugDescription: String { redactedDescription }
}
