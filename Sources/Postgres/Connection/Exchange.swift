/// A statement, or a wait for notifications, that is under way on a connection.
struct Exchange {
    let id: UInt64
    let beganAt = ContinuousClock.now
    /// When all of it had been sent, or something last came from the server; nil while it is sent.
    var heardAt: ContinuousClock.Instant?
    /// When something is to be done about it, and what.
    var deadline: Deadline?
    /// Why the server was asked to cancel the statement.
    var interruption: Interruption?
    /// When an interrupted statement is given up, and its connection with it.
    var end: ContinuousClock.Instant?
    var isCancelRequestUnderWay = false
    var cancelWaiter: CheckedContinuation<Void, Never>?
    /// Whether the connection was ended because the server stayed silent.
    var isAbandoned = false
    /// Whether it has waited for the server before.
    var hasWaited = false
    /// Whether to stop waiting for notifications.
    var isWaitOver = false

    enum Interruption {
        case taskCancelled
        case timedOut(Duration)
    }

    struct Deadline {
        enum Consequence {
            /// Ask the server to cancel the statement.
            case interrupt(Duration)
            /// Ask once more.
            case cancelAgain
            /// End the connection.
            case abandon
            /// Stop waiting for notifications.
            case endWait
        }

        let time: ContinuousClock.Instant
        let consequence: Consequence

        init(at time: ContinuousClock.Instant, _ consequence: Consequence) {
            self.time = time
            self.consequence = consequence
        }

        init(after delay: Duration, _ consequence: Consequence) {
            self.init(at: .now + delay, consequence)
        }
    }
}
