/// Error of a queue operation that a person asked for.
public struct JobQueueError: Error, CustomStringConvertible {
    /// What happened.
    public struct Code: Hashable, Sendable {
        let name: String

        /// No job has this identifier.
        public static let jobNotFound = Code(name: "jobNotFound")
        /// The job's status does not allow it.
        public static let wrongStatus = Code(name: "wrongStatus")
        /// The worker no longer holds the job's lease.
        public static let leaseLost = Code(name: "leaseLost")
        /// The worker stops and the job should hand itself back.
        public static let stopping = Code(name: "stopping")
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
