import JobQueue
import Logging
import NoteSync
import Postgres
import ServiceLifecycle
import Support

/// Ends the worker, once its running jobs have handed themselves back, when its keys open nothing of what is stored any
/// more: replicas that have the key go on. A job finds that, or this service, which tries them now and then on a row
/// that decides: a worker that has nothing to do is not left there to fail when it has.
final class KeyLoss: Service {
    private let credentials: CredentialStore
    private let interval: Duration
    private let logger: Logger
    private let found = StopSignal()

    /// - Parameter interval: between two tries; spread by a fifth, as workers are started together.
    init(credentials: CredentialStore, interval: Duration, logger: Logger) {
        self.credentials = credentials
        self.interval = interval
        self.logger = logger
    }

    func report() { found.request() }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { tasks in
                tasks.addTask { await self.tryNowAndThen() }
                await self.found.untilRequested()
                tasks.cancelAll()
            }
        }
        guard !found.isRequested else {
            throw UnusableKey.opensNothing("This worker's keys no longer open anything that is stored.")
        }
    }

    private func tryNowAndThen() async {
        while !Task.isCancelled {
            do {
                try await DeadlineQueue.shared.sleep(for: interval * Double.random(in: 0.8...1.2))
                if try await credentials.areKeysLost() { report() }
            } catch is CancellationError {
                return
            } catch {
                // What is wrong with the database is said by those who need it.
                logger.debug("The keys can't be tried now.", metadata: ["error": "\(error)"])
            }
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
