import ServiceLifecycle
import Support
import Synchronization

/// The time between the signal to stop and the end of the server: connections stay open, and each is closed with its next
/// answer, which says so.
///
/// A server that closes idle connections at once loses the request that is on its way over one of them, and the gateway takes
/// that for a failed start. Callers give up idle connections themselves after some seconds.
final class Drain: Service {
    private let time: Duration
    private let draining = Atomic(false)

    /// - Parameter time: how long it takes; zero for no such time.
    init(time: Duration) {
        self.time = time
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
        // A cancellation ends the time early, as it should.
        try? await DeadlineQueue.shared.sleep(for: time)
    }
}
