public import Logging

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A log handler for people: time in UTC, level, message, and `key=value` pairs, in columns.
///
/// ```
/// 2026-01-02T03:04:05.678Z INFO     job claimed                              job=6f1c… user=someone@example.org
/// ```
/// Colours are used on a terminal, unless `NO_COLOR` is set (https://no-color.org). Secrets are redacted.
public struct HumanLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    private static let messageColumns = 44

    private let label: String
    private let output: LogOutput
    private let redactor: Redactor
    private let usesColor: Bool

    /// A handler that writes to `output`.
    ///
    /// - Parameters:
    ///   - usesColor: whether to colour; `nil` decides by the output and `NO_COLOR`.
    public init(
        label: String,
        level: Logger.Level = .info,
        output: LogOutput = .standardOutput,
        redactor: Redactor = .processWide,
        metadataProvider: Logger.MetadataProvider? = nil,
        usesColor: Bool? = nil
    ) {
        self.label = label
        self.logLevel = level
        self.output = output
        self.redactor = redactor
        self.metadataProvider = metadataProvider
        self.usesColor = usesColor ?? (output.isTerminal && Self.environmentAllowsColor)
    }

    private static var environmentAllowsColor: Bool {
        guard let value = getenv("NO_COLOR") else { return true }
        return value.pointee == 0
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var line = Array(LogTimestamp.now().rfc3339.utf8)
        let level = event.level.rawValue.uppercased()
        line += " \(colored(level, Self.color(of: event.level)))\(Self.blanks(9 - level.count))".utf8
        let message = LogLine.escaped(redactor.redact(event.message.description))
        line += message
        var pairs = LogLine.metadata(metadata, metadataProvider, event.metadata, redactor: redactor)
        if let error = event.error { pairs.append(("error", redactor.redact("\(error)"))) }
        if !pairs.isEmpty {
            line += Self.blanks(Self.messageColumns - String(decoding: message, as: UTF8.self).count).utf8
        }
        for (key, value) in pairs {
            line += " \(colored("\(String(decoding: LogLine.escaped(key), as: UTF8.self))=", "2"))".utf8
            line += Self.quotedIfNeeded(value)
        }
        line.append(UInt8(ascii: "\n"))
        output.write(line)
    }

    private static func quotedIfNeeded(_ value: String) -> [UInt8] {
        guard value.isEmpty || value.utf8.contains(where: { " \"=".utf8.contains($0) }) else {
            return LogLine.escaped(value)
        }
        let body = LogLine.escaped(value).flatMap { byte -> [UInt8] in
            byte == UInt8(ascii: "\"") ? Array("\\\"".utf8) : [byte]
        }
        return [UInt8(ascii: "\"")] + body + [UInt8(ascii: "\"")]
    }

    private func colored(_ text: String, _ code: String) -> String {
        usesColor ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    private static func color(of level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "2"
        case .info: "32"
        case .notice: "36"
        case .warning: "33"
        case .error: "31"
        case .critical: "1;31"
        }
    }

    private static func blanks(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }
}
