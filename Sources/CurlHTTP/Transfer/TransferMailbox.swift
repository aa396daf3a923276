import CCurl
import Support

/// The way into the transfer loop: requests and cancellations from any thread, and its wakeup.
final class TransferMailbox: Sendable {
    /// What has come in since the loop last looked.
    struct Mail {
        var orders: [TransferOrder] = []
        var cancellations: [UInt64] = []
        var isClosing = false
    }

    private struct State {
        var mail = Mail()
        var nextIdentifier: UInt64 = 0
        var isFinished = false
    }

    /// curl's multi handle. Unsafe to share, yet shared soundly: the loop's thread alone drives it, others only call
    /// `curl_multi_wakeup`, which curl allows from any thread, and that under the lock while the handle lives.
    nonisolated(unsafe) let multi: UnsafeMutableRawPointer
    let statistics = Mutex(HTTPClientStatistics())
    private let state = Mutex(State())

    init() {
        Self.initializeCurl
        guard let multi = curl_multi_init() else { fatalError("curl_multi_init: out of memory") }
        self.multi = multi
    }

    /// curl's own set-up of the process, once; it is safe to call from any thread since curl 7.84.
    private static let initializeCurl: Void = {
        let code = curl_global_init(Int(CURL_GLOBAL_ALL))
        guard code == CURLE_OK else { fatalError("curl_global_init: \(String(cString: curl_easy_strerror(code)))") }
    }()

    func makeIdentifier() -> UInt64 {
        state.withLock { state in
            state.nextIdentifier += 1
            return state.nextIdentifier
        }
    }

    /// Hands a request to the loop; false if the loop takes no more.
    func submit(_ order: TransferOrder) -> Bool {
        post { $0.orders.append(order) }
    }

    /// Asks the loop to drop a request; one it does not know (any more) is none of its business.
    func cancel(_ identifier: UInt64) {
        _ = post { $0.cancellations.append(identifier) }
    }

    /// Asks the loop to end all requests and itself.
    func close() {
        _ = post { $0.isClosing = true }
    }

    private func post(_ change: (inout sending Mail) -> Void) -> Bool {
        state.withLock { state in
            guard !state.isFinished, !state.mail.isClosing else { return false }
            // What lies here already has a wakeup under way; curl keeps it until its next poll.
            let needsWakeup = state.mail.orders.isEmpty && state.mail.cancellations.isEmpty
            change(&state.mail)
            if needsWakeup || state.mail.isClosing { curl_multi_wakeup(multi) }
            return true
        }
    }

    /// Loop only: takes what has come in.
    func collect() -> Mail {
        state.withLock { state in
            let mail = state.mail
            state.mail = Mail(isClosing: mail.isClosing)
            return mail
        }
    }

    /// Loop only: takes nothing more and frees the multi handle, which must be empty; returns what came in meanwhile.
    func finish() -> [TransferOrder] {
        state.withLock { state in
            state.isFinished = true
            curl_multi_cleanup(multi)
            defer { state.mail.orders = [] }
            return state.mail.orders
        }
    }
}
