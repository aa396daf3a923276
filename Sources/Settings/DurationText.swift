/// Durations as people write them: `500ms`, `90s`, `10min` or `10m`, `2h`, `30d`, or plain seconds; also `1.5h`.
public enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        // "min" before "m" and "ms" before "s": the first suffix that fits is taken.
        ("ms", 1), ("min", 60_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("s", 1000),
    ]

    /// The duration that `text` denotes, to the millisecond, or nil.
    public static func parse(_ text: String) -> Duration? {
        let text = text.lowercased()
        let unit = units.first { text.hasSuffix($0.suffix) } ?? ("", 1000)
        let number = text.dropLast(unit.suffix.count).trimmingBlanks
        let parts = number.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard number.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
            let whole = parts.first.flatMap({ Int64($0) })
        else { return nil }
        let (milliseconds, overflows) = whole.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflows, milliseconds < Int64.max / 2 else { return nil }
        guard parts.count == 2 else { return .milliseconds(milliseconds) }
        guard !parts[1].isEmpty, let fraction = Double("0.\(parts[1])") else { return nil }
        return .milliseconds(milliseconds + Int64((fraction * Double(unit.milliseconds)).rounded()))
    }

    /// `duration` in the largest unit that leaves it whole: `90s`, `15min`, `30d`.
    public static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        guard attoseconds == 0 else { return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms" }
        for (suffix, length) in [("d", Int64(86_400)), ("h", 3600), ("min", 60)]
        where seconds != 0 && seconds % length == 0 && seconds != 86_400 && !(suffix == "min" && seconds < 120) {
            return "\(seconds / length)\(suffix)"
        }
        return seconds == 86_400 ? "24h" : "\(seconds)s"
    }
}

/// Sizes as people write them: `65536`, `512KiB`, `64MiB`, `8GiB`; the units are powers of 1024.
enum ByteCount {
    private static let units = [("gib", 1 << 30), ("mib", 1 << 20), ("kib", 1 << 10), ("b", 1)]

    /// The number of bytes that `text` denotes, or nil.
    static func parse(_ text: String) -> Int? {
        let text = text.lowercased()
        let (suffix, size) = units.first { text.hasSuffix($0.0) } ?? ("", 1)
        guard let number = Int(text.dropLast(suffix.count).trimmingBlanks), number >= 0 else { return nil }
        let (bytes, overflows) = number.multipliedReportingOverflow(by: size)
        return overflows ? nil : bytes
    }

    /// `bytes` in the largest unit that leaves it whole.
    static func format(_ bytes: Int) -> String {
        for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        where bytes >= size && bytes % size == 0 {
            return "\(bytes / size)\(unit)"
        }
        return String(bytes)
    }
}

extension StringProtocol {
    /// The text without white space at its ends.
    var trimmingBlanks: String {
        let start = firstIndex { !$0.isWhitespace } ?? endIndex
        let end = lastIndex { !$0.isWhitespace }.map { index(after: $0) } ?? start
        return String(self[start..<end])
    }
}
