import ArgumentParser

/// The option `--json`.
struct JSONOption: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print JSON for programs.")
    var isWanted = false

    /// Reports a change: in words or as JSON.
    ///
    /// - Throws: `SyncControlError` with code `outputFailed`.
    func report(_ words: String, as value: JSONValue) throws {
        guard isWanted else { return try StandardStream.report(words) }
        try value.report(inWords: words)
    }
}
