import Logging
internal import Support

/// What both log formats share: one event is one line, and no line holds a secret.
enum LogLine {
    /// The metadata of an event as sorted, redacted pairs: the handler's own, the provider's, the event's, the later
    /// ones winning. Nested values get dotted names: `job.id`, `notes.0`.
    static func metadata(
        _ handler: Logger.Metadata,
        _ provider: Logger.MetadataProvider?,
        _ event: Logger.Metadata?,
        redactor: Redactor
    ) -> [(key: String, value: String)] {
        var merged = handler
        if let provided = provider?.get() { merged.merge(provided) { $1 } }
        if let event { merged.merge(event) { $1 } }
        return flattened(.dictionary(merged), under: nil).map { (redactor.redact($0.key), redactor.redact($0.value)) }
    }

    private static func flattened(_ value: Logger.MetadataValue, under key: String?) -> [(key: String, value: String)] {
        func name(_ part: String) -> String { key.map { "\($0).\(part)" } ?? part }
        switch value {
        case .string(let text): return [(key ?? "", text)]
        case .stringConvertible(let convertible): return [(key ?? "", convertible.description)]
        case .array(let values):
            return values.enumerated().flatMap { flattened($0.element, under: name(String($0.offset))) }
        case .dictionary(let values):
            return values.sorted { $0.key < $1.key }.flatMap { flattened($0.value, under: name($0.key)) }
        }
    }

    /// What stands in the place of lines that were dropped.
    static func loss(of lines: Int) -> LogEvent {
        LogEvent(
            level: .warning,
            message: "Log lines were dropped: their reader did not keep up, or they could not be written.",
            metadata: ["lines": "\(lines)"],
            source: "Telemetry",
            file: #fileID,
            function: #function,
            line: #line
        )
    }

    /// `text` with control characters, those beyond ASCII too, written as escapes, so that it neither begins a line nor
    /// commands a terminal.
    static func escaped(_ text: String) -> [UInt8] {
        if isPlain(text) { return Array(text.utf8) }
        var result: [UInt8] = []
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n".utf8
            case "\r": result += "\\r".utf8
            case "\t": result += "\\t".utf8
            case "\0"..."\u{1F}", "\u{7F}",
                _ where scalar.isHiddenControl:
                result += "\\u{\(String(scalar.value, radix: 16))}".utf8
            default: result += UTF8.encode(scalar)!
            }
        }
        return result
    }

    /// Whether a text is printable ASCII, as most are: one byte is one column, and nothing in it is escaped.
    static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    }
}
