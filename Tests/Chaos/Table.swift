import ChaosChecker
import Foundation

/// The table of runs, a line for each, and their totals.
public struct Table: Sendable {
    private var attacks: [String: Int] = [:]
    private var figures = Figures()
    private var seconds = 0.0
    public private(set) var failures = 0
    public private(set) var runs = 0

    public init() {}

    public static var header: String {
        let faults = Attack.kinds.map { Self.right($0, 9) }.joined()
        return Self.right("seed", 8) + faults + columns.map { Self.right($0, 10) }.joined() + "  verdict"
    }

    private static let columns = [
        "jobs", "notes", "writes", "rescues", "lost", "unknown", "extra", "overtaken", "seconds",
    ]

    /// Counts a run and gives its line.
    public mutating func add(_ outcome: Outcome) -> String {
        runs += 1
        let isFailed = !outcome.verdict.violations.isEmpty
        if isFailed { failures += 1 }
        for (kind, count) in outcome.attacks { attacks[kind, default: 0] += count }
        figures += outcome.verdict.figures
        let took = outcome.duration / .seconds(1)
        seconds += took
        return Self.line("\(outcome.seed)", outcome.attacks, outcome.verdict.figures, took)
            + (isFailed ? "  FAILED" : "  ok")
    }

    public var totals: String {
        let recoveries = figures.recoveries.sorted()
        let line = Self.line("total", attacks, figures, seconds) + "  \(runs - failures) of \(runs) ok"
        guard !recoveries.isEmpty else { return line }
        let (median, longest) = (recoveries[recoveries.count / 2], recoveries[recoveries.count - 1])
        return line + "\nat work again after \(recoveries.count) failovers, by the time since the promotion: median "
            + "\(Self.seconds(median)), longest \(Self.seconds(longest))"
    }

    private static func seconds(_ microseconds: History.Instant) -> String {
        String(format: "%.2f s", Double(microseconds) / 1_000_000)
    }

    private static func line(_ name: String, _ attacks: [String: Int], _ figures: Figures, _ seconds: Double) -> String
    {
        let numbers = [
            figures.jobs, figures.notes, figures.writes, figures.rescues, figures.leasesLost, figures.unknownCreates,
            figures.extraPages, figures.overtaken,
        ]
        return right(name, 8) + Attack.kinds.map { right("\(attacks[$0] ?? 0)", 9) }.joined()
            + numbers.map { right("\($0)", 10) }.joined() + right(String(format: "%.1f", seconds), 10)
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }
}
