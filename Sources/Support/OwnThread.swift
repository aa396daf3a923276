internal import Foundation
internal import Synchronization

/// Starts a thread of its own for what would hold up the cooperative pool: waiting, and calls that block.
package func startThread(named name: String, _ body: @escaping @Sendable () -> Void) {
    let thread = Thread(block: body)
    thread.name = name
    thread.start()
}

/// Runs `body` on a thread of its own and returns its result: for work of more than milliseconds, and for files, as the
/// cooperative pool has one thread a processor and everything else runs there.
///
/// - Throws: what `body` throws. `body` learns of a cancellation of the task by ``ThreadCancellation/check()``.
package func onOwnThread<Result: Sendable>(
    named name: String,
    _ body: @escaping @Sendable (ThreadCancellation) throws -> Result
) async throws -> Result {
    let cancellation = ThreadCancellation()
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
            startThread(named: name) {
                continuation.resume(with: Swift.Result { try body(cancellation) })
            }
        }
    } onCancel: {
        cancellation.request()
    }
}

/// Whether the task that waits for a thread's result was cancelled.
package final class ThreadCancellation: Sendable {
    private let isRequested = Atomic(false)

    package init() {}

    fileprivate func request() {
        isRequested.store(true, ordering: .relaxed)
    }

    /// - Throws: `CancellationError` once the task was cancelled.
    package func check() throws {
        if isRequested.load(ordering: .relaxed) { throw CancellationError() }
    }
}
