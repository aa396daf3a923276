/// Keeps the log of one run of a job to a length that somebody could read, whatever a peer sends.
///
/// Lines that say how it goes and lines that say what is wrong are counted apart, so that neither keeps the other out.
/// What is left out is summed up in one line at the end.
struct JobLogLimit {
    /// Lines of each kind in one run.
    let maximum: Int

    private var informative = 0
    private var troubling = 0

    init(maximum: Int) {
        self.maximum = maximum
    }

    /// - Returns: the lines that may be written.
    mutating func admit(_ lines: [LogLine]) -> [LogLine] {
        lines.filter { line in
            if line.level == .info {
                informative += 1
                return informative <= maximum
            }
            troubling += 1
            return troubling <= maximum
        }
    }

    /// What was left out; nil if nothing was.
    var summary: LogLine? {
        let left = [(informative, "about what was done"), (troubling, "about what went wrong")]
            .map { (max(0, $0.0 - maximum), $0.1) }.filter { $0.0 > 0 }
        guard !left.isEmpty else { return nil }
        let counts = left.map { "\($0.0) \($0.1)" }.joined(separator: " and ")
        return LogLine(
            level: .warning,
            message: "Further lines of this run were left out: \(counts). At most \(maximum) of each kind are kept."
        )
    }
}
