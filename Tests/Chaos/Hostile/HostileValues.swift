import Foundation

/// Who is honest in a hostile run, and who is not.
enum HostileUsers {
    static let honest = (0..<4).map { "honest\($0)" }
    /// Those whose peers are hostile too. Fewer than the workers have slots.
    static let withCredentials = (0..<4).map { "eve\($0)" }
    /// Names that something might stumble over.
    static let odd = [
        "", " ", "eve'; DROP TABLE sync_jobs; --", "eve\u{202E}live", "eve\nINFO all is well", "\u{0}eve", "honest0 ",
        "HONEST0",
        String(repeating: "ä", count: 255), String(repeating: "e", count: 256), "eve%s%n", "<script>alert(1)</script>",
        "..", "{eve}",
    ]
}

/// Values of the columns that the gateway may write, as SQL, drawn from the ends of what the types hold.
struct HostileValues {
    var random: SplitMix64

    mutating func user() -> String {
        random.chance(0.7) ? random.pick(HostileUsers.withCredentials) : random.pick(HostileUsers.odd)
    }

    mutating func status() -> String {
        random.chance(0.6)
            ? "queued"
            : random.pick(["running", "completed", "failed", "cancelled", "QUEUED", "", "retrying", "queued "])
    }

    mutating func count() -> Int32? { random.pick([0, -1, 1, .max, .min, nil]) }

    mutating func flag() -> Bool? { random.pick([true, false, nil]) }

    mutating func error() -> String? {
        switch random.number(0...5) {
        case 0: "\u{202E}gnp.exe \u{1B}[2J"
        case 1: String(repeating: "x", count: random.number(1...2_000_000))
        case 2: "line\nline\r\n{\"detail\":\"{}\"}"
        default: nil
        }
    }

    /// A time as PostgreSQL reads it.
    mutating func time() -> String? {
        random.pick([
            nil, nil, "infinity", "-infinity", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59", "1970-01-01", "now",
        ])
    }
}
