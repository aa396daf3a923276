import ServiceHealth
import ServiceLifecycle
import Support

/// The time between the signal to stop and the end of the server: connections stay open, and each is closed with its
/// next answer, which says so. It ends early when no connection is open any more.
///
/// A server that closes idle connections at once loses the request that is on its way over one of them, and the gateway
/// takes that for a failed start. Callers give up idle connections themselves after some seconds.
final class Drain: Service {
    private let time: Duration
    private let connections: ConnectionLimits
    private let draining = Atomic(false)

    /// How long no connection has to have been open, for those that were on their way when the signal came.
    private static let quietTime = Duration.milliseconds(300)

    /// - Parameter time: how long it takes at most; zero for no such time.
    init(time: Duration, connections: ConnectionLimits) {
        self.time = time
        self.connections = connections
    }

    var isUnderWay: Bool { draining.load(ordering: .relaxed) }

    /// The last service of its group, and so the first to be told of a shutdown; the server is told when this returns.
    func run() async throws {
        do {
            try await gracefulShutdown()
        } catch is CancellationError {
            return
        }
        guard time > .zero else { return }
        draining.store(true, ordering: .relaxed)
        let (time, connections) = (time, connections)
        // Ends with its time, or early: with the last connection, or with a cancellation, as it should.
        try? await within(time) { await connections.untilQuiet(for: Self.quietTime) }
    }
}
