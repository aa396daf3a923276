public import Logging
import Support

/// What was logged, one line an entry.
public final class LogLines: Sendable {
    private let storage = Mutex<[String]>([])

    public init() {}

    public var lines: [String] { storage.withLock { $0 } }

    public func append(_ line: String) {
        storage.withLock { $0.append(line) }
    }
}

/// Writes each entry into `LogLines`.
public struct LineLogHandler: LogHandler {
    private let lines: LogLines
    public var metadata: Logger.Metadata = [:]
    public var logLevel = Logger.Level.trace

    public init(lines: LogLines) {
        self.lines = lines
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let fields = all.map { " \($0.key)=\($0.value)" }.joined()
        lines.append("\(event.level) \(event.message)\(fields)")
    }
}
