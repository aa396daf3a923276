public import ChaosChecker
public import Foundation

/// What one run came to.
public struct Outcome: Sendable {
    public let seed: UInt64
    /// Attacks that were made, by kind.
    public let attacks: [String: Int]
    public let history: History
    public let verdict: Verdict
    /// What each worker wrote, by its name.
    let logs: [String: String]
    /// What was done, and when.
    let journal: [String]
    public let duration: Duration

    /// Writes the history, the workers' logs and what was found wrong into a folder.
    public func keep(in folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(history).write(to: folder.appending(path: "history.json"))
        for (name, text) in logs {
            try Data(text.utf8).write(to: folder.appending(path: "\(name).log"))
        }
        try Data((journal.joined(separator: "\n") + "\n").utf8).write(to: folder.appending(path: "attacks.txt"))
        let violations = verdict.violations.map(\.description).joined(separator: "\n")
        try Data((violations + "\n").utf8).write(to: folder.appending(path: "violations.txt"))
    }
}
