import JobQueue
import ServiceLifecycle

/// Ends the worker, once its running jobs have handed themselves back, when a job finds that the keys open nothing of what is
/// stored any more: replicas that have the key go on.
final class KeyLoss: Service {
    private let found = StopSignal()

    func report() { found.request() }

    func run() async throws {
        await cancelWhenGracefulShutdown { await self.found.untilRequested() }
        guard !found.isRequested else {
            throw UnusableKey.opensNothing("This worker's keys no longer open anything that is stored.")
        }
    }
}

/// A key that is set but is none, or is not the one in use.
struct UnusableKey: Error, CustomStringConvertible {
    let description: String

    static func opensNothing(_ what: String) -> UnusableKey {
        UnusableKey(
            description:
                "\(what) Set AWS_ENCRYPTION_KEY to the keys it was stored with, several separated by commas; see: syncctl credentials "
                + "check. If nobody has them any more: syncctl credentials forget-keys, then syncctl credentials set for every user"
        )
    }
}
