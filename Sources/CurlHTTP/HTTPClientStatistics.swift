/// Counters of an ``HTTPClient`` since it was made, and its load at this moment.
public struct HTTPClientStatistics: Sendable, Equatable {
    /// Requests handed to curl.
    public internal(set) var transfersStarted = 0
    /// Requests that got a whole response, whatever its status.
    public internal(set) var transfersCompleted = 0
    /// Requests that ended with an error, those that never started included.
    public internal(set) var transfersFailed = 0
    /// Connections opened; what is missing to `transfersStarted` was served by keep-alive.
    public internal(set) var connectionsOpened = 0
    /// Requests under way.
    public internal(set) var activeTransfers = 0
    /// Requests waiting for a free connection.
    public internal(set) var waitingTransfers = 0
}
