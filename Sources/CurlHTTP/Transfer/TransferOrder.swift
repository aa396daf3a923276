import Support

/// A request on its way to the transfer loop, with the caller that waits for it.
struct TransferOrder: Sendable {
    /// Where the body of a 2xx response goes.
    enum Destination: Sendable {
        case memory
        /// File descriptor, which stays the caller's.
        case file(Int32)
    }

    let identifier: UInt64
    let request: HTTPRequest
    let target: RequestTarget
    let destination: Destination
    let deadline: ContinuousClock.Instant
    let cancellation: CancellationFlag
    let continuation: CheckedContinuation<HTTPResponse, any Error>

    /// Ends a request of which nothing has been sent.
    func fail(_ code: CurlHTTPError.Code, reason: String) {
        continuation.resume(
            throwing: CurlHTTPError(code, of: self, reason: reason, requestMayHaveBeenSent: false)
        )
    }

    /// Whether its deadline has passed: nothing of it is sent any more, also where the process was stopped meanwhile.
    var isOver: Bool { ContinuousClock.now >= deadline }

    var isTooLate: Bool {
        guard let notAfter = request.notAfter else { return false }
        return ContinuousClock.now > notAfter
    }
}

/// Whether the caller's task has been cancelled; set before the loop is told, as the cancellation may overtake the
/// request on the way there.
final class CancellationFlag: Sendable {
    private let flag = Atomic<Bool>(false)

    var isSet: Bool { flag.load(ordering: .acquiring) }

    func set() {
        flag.store(true, ordering: .releasing)
    }
}
