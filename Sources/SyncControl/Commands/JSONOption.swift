import ArgumentParser

/// The option `--json`.
struct JSONOption: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print JSON for programs.")
    var isWanted = false
}
