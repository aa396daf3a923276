import Foundation

/// How long jobs took to be back at work after one kind of loss.
struct RecoveryTimes: CustomStringConvertible {
    /// How many are taken of each kind: `SYNC_RECOVERY_SAMPLES`, 1 by default.
    static let samples =
        ProcessInfo.processInfo.environment["SYNC_RECOVERY_SAMPLES"].flatMap { Int($0) }.map { max($0, 1) } ?? 1

    private let name: String
    private var waits: [Duration] = []

    init(_ name: String) { self.name = name }

    mutating func add(_ wait: Duration) { waits.append(wait) }

    /// Zero before the first.
    var median: Duration {
        waits.isEmpty ? .zero : waits.sorted()[waits.count / 2]
    }

    var longest: Duration { waits.max() ?? .zero }

    var description: String {
        let sorted = waits.sorted().map(Self.seconds)
        return "\(name): median \(Self.seconds(median)) s of \(waits.count) (\(sorted.joined(separator: " ")))"
    }

    /// Prints them where they were asked for.
    func show() {
        if Self.samples > 1 { print("recovery: \(self)") }
    }

    private static func seconds(_ duration: Duration) -> String {
        String(format: "%.2f", Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18)
    }
}
