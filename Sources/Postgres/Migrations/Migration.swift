/// One step of the database's tables, as a numbered SQL script.
public struct Migration: Sendable, Hashable {
    /// The place in the order; versions follow each other without a gap.
    public var version: Int
    /// The name after the number, such as `create_jobs`.
    public var name: String
    /// The script. It runs in a transaction and holds no BEGIN or COMMIT of its own, unless the migration is online.
    public var sql: String

    /// Whether the name ends in `_online`: the script runs beside the programs that use the tables. Each of its steps,
    /// between lines `-- STEP`, is one statement that runs outside a transaction, such as CREATE INDEX CONCURRENTLY,
    /// and does nothing where it has been done. With a line `-- WHERE condition` before it, it runs only where the
    /// condition holds.
    public var isOnline: Bool { name.hasSuffix("_online") }

    /// The version that a program must know at least to run with the tables as this migration leaves them: the number
    /// in a line `-- compatible from: N` of the comment at the head of the script; without such a line, this
    /// migration's own.
    public var compatibleFrom: Int { statedCompatibility.flatMap { Int($0) } ?? version }

    /// Whether the line says nothing, or a version that there is at that time.
    var isCompatibilityValid: Bool {
        guard let statedCompatibility else { return true }
        return Int(statedCompatibility).map { (1...max(1, version)).contains($0) } ?? false
    }

    private var statedCompatibility: Substring? {
        let head = sql.split(separator: "\n").prefix { $0.hasPrefix("--") }
        return head.lazy.compactMap { $0.wholeMatch(of: /-- compatible from:\s*(.*?)\s*/)?.1 }.first
    }

    /// The statements of an online migration.
    var steps: [String] {
        sql.split(separator: "-- STEP\n").map(String.init).filter { step in
            step.split(separator: "\n").contains { !$0.hasPrefix("--") && !$0.allSatisfy(\.isWhitespace) }
        }
    }

    /// The condition of a step, as SQL; nil: it has none.
    static func condition(of step: String) -> String? {
        step.split(separator: "\n").lazy.compactMap { $0.wholeMatch(of: /-- WHERE (.+)/)?.1 }.first.map(String.init)
    }

    public init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }

    /// The name of the file, `NNNN_name.sql`.
    public var fileName: String { Self.fileName(version: version, name: name) }

    static func fileName(version: Int, name: String) -> String {
        let digits = String(version)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "_\(name).sql"
    }
}
