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
        output.write(line(for: event)) { line(for: LogLine.loss(of: $0)) }
    }

    private func line(for event: LogEvent) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        LogTimestamp.now().append(to: &line)
        let level = event.level.rawValue.uppercased()
        line.append(UInt8(ascii: " "))
        line += colored(level, Self.color(of: event.level)).utf8
        Self.appendBlanks(9 - level.utf8.count, to: &line)
        let message = redactor.redact(event.message.description)
        line += LogLine.escaped(message)
        var pairs = LogLine.metadata(metadata, metadataProvider, event.metadata, redactor: redactor)
        if let error = event.error { pairs.append(("error", redactor.redact("\(error)"))) }
        if !pairs.isEmpty { Self.appendBlanks(Self.messageColumns - Self.columns(of: message), to: &line) }
        for (key, value) in pairs {
            line.append(UInt8(ascii: " "))
            line +=
                usesColor
                ? Array(colored("\(String(decoding: LogLine.escaped(key), as: UTF8.self))=", "2").utf8)
                : LogLine.escaped(key) + [UInt8(ascii: "=")]
            line += Self.quotedIfNeeded(value)
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    private static func quotedIfNeeded(_ value: String) -> [UInt8] {
        let isQuoted =
            value.isEmpty
            || value.utf8.contains {
                $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "=")
            }
        guard isQuoted else { return LogLine.escaped(value) }
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

    private static func columns(of message: String) -> Int {
        LogLine.isPlain(message)
            ? message.utf8.count : String(decoding: LogLine.escaped(message), as: UTF8.self).count
    }

    private static func appendBlanks(_ count: Int, to line: inout [UInt8]) {
        line += repeatElement(UInt8(ascii: " "), count: max(0, count))
    }
}
