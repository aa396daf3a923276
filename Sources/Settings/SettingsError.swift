/// An error of the configuration, met at start. Its description says what to change and holds no secret.
public struct SettingsError: Error, CustomStringConvertible, Sendable {
    /// What happened.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Value: String { case invalidValues, stateFolder, keyFile, keyFilePermissions }
        private let value: Value

        /// One or more variables hold a value that cannot be understood.
        public static let invalidValues = Code(value: .invalidValues)
        /// The state folder is not known, or cannot be made.
        public static let stateFolder = Code(value: .stateFolder)
        /// The file of the encryption key cannot be read or written.
        public static let keyFile = Code(value: .keyFile)
        /// The file of the encryption key can be read by others, or belongs to someone else.
        public static let keyFilePermissions = Code(value: .keyFilePermissions)

        public var description: String { value.rawValue }
    }

    /// One variable whose value cannot be understood.
    public struct Problem: Sendable, Hashable, CustomStringConvertible {
        /// The variable.
        public let name: String
        /// The value as set; nil for a secret, and for one that is wrong only beside others.
        public let value: String?
        /// What is allowed, as it ends the sentence "expected …".
        public let allowed: String

        public var description: String {
            "\(name) \(value.map { "is \"\($0)\"" } ?? "(value not shown) is not valid"): expected \(allowed)"
        }
    }

    public let code: Code
    public let message: String
    /// For ``Code/invalidValues``: every wrong variable.
    public let problems: [Problem]
    public let cause: (any Error)?
    public let file: String
    public let line: Int

    init(
        _ code: Code,
        _ message: String,
        cause: (any Error)? = nil,
        file: String = #fileID,
        line: Int = #line
    ) {
        self.init(code, message, problems: [], cause: cause, file: file, line: line)
    }

    /// An error that shows all of `problems` at once.
    init(problems: [Problem], file: String = #fileID, line: Int = #line) {
        let list = problems.map { "\n  - \($0)" }.joined()
        let title = problems.count == 1 ? "a setting is not valid" : "\(problems.count) settings are not valid"
        self.init(.invalidValues, "\(title):\(list)", problems: problems, cause: nil, file: file, line: line)
    }

    private init(
        _ code: Code,
        _ message: String,
        problems: [Problem],
        cause: (any Error)?,
        file: String,
        line: Int
    ) {
        self.code = code
        self.message = message
        self.problems = problems
        self.cause = cause
        self.file = file
        self.line = line
    }

    public var description: String { cause.map { "\(message) (\($0))" } ?? message }
}
