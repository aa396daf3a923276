import Foundation
import Logging
import Telemetry

/// A pipe that collects log lines.
struct LogSink {
    let output: LogOutput
    private let pipe = Pipe()

    init() {
        output = LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor)
    }

    /// Everything written so far; ends the sink.
    func text() throws -> String {
        output.flush(within: .seconds(10))
        try pipe.fileHandleForWriting.close()
        return String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    }

    /// A logger of `format` that writes here from trace on.
    func logger(_ format: LogFormat) -> Logger {
        Logger(label: "test") { label in
            LoggingBootstrap.handler(label: label, format: format, level: .trace, output: output)
        }
    }
}
