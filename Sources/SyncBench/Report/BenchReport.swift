import Foundation

/// What one command measured.
struct CommandReport: Codable, Sendable {
    var command: String
    /// Settings of the measurement, as a reader needs them to repeat it.
    var settings: [String: String]
    var figures: [Figure]
    /// What a reader of the figures must know.
    var notes: [String] = []
    var machine: Machine
    var server: [String: String]
    var startedAt: String
    var seconds: Double
}

/// All that was measured, the content of a `--json` file.
struct BenchReport: Codable, Sendable {
    var commands: [String: CommandReport] = [:]

    /// Order in which commands are shown.
    static let order = ["drain", "pickup", "enqueue", "notes", "fresh", "memory", "growth", "latency"]

    /// The reports in that order.
    var ordered: [CommandReport] {
        Self.order.compactMap { commands[$0] } + commands.values.filter { !Self.order.contains($0.command) }
    }

    /// Reads a file; an empty report if there is none.
    static func read(_ path: String) throws -> BenchReport {
        guard FileManager.default.fileExists(atPath: path) else { return BenchReport() }
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf",
            negativeInfinity: "-inf",
            nan: "nan"
        )
        return try decoder.decode(BenchReport.self, from: Data(contentsOf: URL(filePath: path)))
    }

    func write(_ path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf",
            negativeInfinity: "-inf",
            nan: "nan"
        )
        try encoder.encode(self).write(to: URL(filePath: path), options: .atomic)
    }
}
