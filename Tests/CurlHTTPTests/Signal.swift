import Dispatch
import Foundation

/// An event that one thread announces and a test waits for.
final class Signal: Sendable {
    struct Missing: Error {}

    private let semaphore = DispatchSemaphore(value: 0)

    func fire() {
        semaphore.signal()
    }

    /// Blocks its thread for 10 s at most.
    func waitOnThread() {
        _ = semaphore.wait(timeout: .now() + 10)
    }

    /// - Throws: ``Missing`` if it has not fired within 10 s.
    func wait() async throws {
        let fired = await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
            Thread { [semaphore] in
                continuation.resume(returning: semaphore.wait(timeout: .now() + 10) == .success)
            }.start()
        }
        if !fired { throw Missing() }
    }
}
