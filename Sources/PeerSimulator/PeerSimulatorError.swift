/// A fault of the simulator's own doing or of what it was given: flags, files, control calls.
struct PeerSimulatorError: Error, CustomStringConvertible {
    /// What happened.
    struct Code: Sendable, Hashable, CustomStringConvertible {
        let description: String

        private init(_ description: String) { self.description = description }

        static let portTaken = Code("portTaken")
        static let cannotListen = Code("cannotListen")
        static let takeoutNotFound = Code("takeoutNotFound")
        static let invalidFaultPlan = Code("invalidFaultPlan")
        static let stopped = Code("stopped")
    }

    let code: Code
    let message: String
    let cause: (any Error)?
    let file: String
    let line: Int

    init(
        _ code: Code,
        _ message: String,
        cause: (any Error)? = nil,
        file: String = #fileID,
        line: Int = #line
    ) {
        self.code = code
        self.message = message
        self.cause = cause
        self.file = file
        self.line = line
    }

    var description: String { message }
}
