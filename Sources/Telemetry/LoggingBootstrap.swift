public import Logging

/// The set-up of logging for a program.
public enum LoggingBootstrap {
    /// Makes every `Logger` of the process write lines of `format` from `level` on to `output`.
    ///
    /// Call once, before the first `Logger` is made. The process ignores SIGPIPE from then on (``LogOutput``).
    public static func bootstrap(
        format: LogFormat,
        level: Logger.Level,
        output: LogOutput = .standardOutput,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        LoggingSystem.bootstrap(
            { label, provider in
                handler(label: label, format: format, level: level, output: output, metadataProvider: provider)
            },
            metadataProvider: metadataProvider
        )
    }

    /// A handler of `format`, for a `Logger` outside the process-wide set-up.
    public static func handler(
        label: String,
        format: LogFormat,
        level: Logger.Level,
        output: LogOutput = .standardOutput,
        metadataProvider: Logger.MetadataProvider? = nil
    ) -> any LogHandler {
        switch format {
        case .human:
            HumanLogHandler(label: label, level: level, output: output, metadataProvider: metadataProvider)
        case .json:
            JSONLogHandler(label: label, level: level, output: output, metadataProvider: metadataProvider)
        }
    }
}
