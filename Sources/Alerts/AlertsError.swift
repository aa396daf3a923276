/// An alert that can't be put into the form of its channel, or a channel that can't be found.
package struct AlertsError: Error, CustomStringConvertible, Sendable {
    /// What happened.
    package struct Code: Hashable, Sendable {
        private enum Name { case unknownChannel, signingFailed, encodingFailed }
        private let name: Name

        /// No channel has this name.
        package static let unknownChannel = Code(name: .unknownChannel)
        /// A signature could not be computed.
        package static let signingFailed = Code(name: .signingFailed)
        /// A message could not be written as JSON.
        package static let encodingFailed = Code(name: .encodingFailed)
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?
    package let file: String
    package let line: Int

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

    package var description: String { message }
}
