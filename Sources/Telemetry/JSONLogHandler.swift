public import Logging

/// A log handler for programs: one JSON object a line.
///
/// Keys: `timestamp` (RFC 3339, UTC, milliseconds), `level`, `logger`, `message`, `metadata` (an object of strings,
/// nested values under dotted names; left out when empty), `error` (left out when there is none). Secrets are redacted.
public struct JSONLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let output: LogOutput
    private let redactor: Redactor

    /// A handler that writes to `output`.
    public init(
        label: String,
        level: Logger.Level = .info,
        output: LogOutput = .standardOutput,
        redactor: Redactor = .processWide,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        self.label = label
        self.logLevel = level
        self.output = output
        self.redactor = redactor
        self.metadataProvider = metadataProvider
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        output.write(line(for: event)) { line(for: LogLine.loss(of: $0)) }
    }

    private func line(for event: LogEvent) -> [UInt8] {
        var fields = [
            ("timestamp", LogTimestamp.now().rfc3339),
            ("level", event.level.rawValue),
            ("logger", label),
            ("message", redactor.redact(event.message.description)),
        ]
        if let error = event.error { fields.append(("error", redactor.redact("\(error)"))) }
        let pairs = LogLine.metadata(metadata, metadataProvider, event.metadata, redactor: redactor)
        var line: [UInt8] = [UInt8(ascii: "{")]
        Self.append(fields, to: &line)
        if !pairs.isEmpty {
            line += ",\"metadata\":{".utf8
            Self.append(pairs, to: &line)
            line.append(UInt8(ascii: "}"))
        }
        line += "}\n".utf8
        return line
    }

    private static func append(_ pairs: [(String, String)], to line: inout [UInt8]) {
        for (index, (key, value)) in pairs.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            JSONText.appendString(key, to: &line)
            line.append(UInt8(ascii: ":"))
            JSONText.appendString(value, to: &line)
        }
    }
}
