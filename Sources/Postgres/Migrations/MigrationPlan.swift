/// What a migration would run, statement by statement, with the locks on tables in use that each takes.
public struct MigrationPlan: Sendable {
    /// A statement and its lock.
    public struct Statement: Sendable, Equatable {
        public var sql: String
        /// As `ACCESS EXCLUSIVE on sync_jobs`; nil if it locks no table that was there before, or says so in its own text (DO).
        public var lock: String?
    }

    public let migration: Migration
    public let statements: [Statement]

    public init(of migration: Migration) {
        self.migration = migration
        var created: Set<String> = []
        statements = Self.split(migration.sql).map { sql in
            let lock = Self.lock(of: sql, created: &created)
            return Statement(sql: sql, lock: lock)
        }
    }

    /// The statements of a script, without the comments before them.
    static func split(_ script: String) -> [String] {
        var statements: [String] = []
        var current = ""
        var rest = script[...]
        /// Takes text up to and with the end of a quotation.
        func take(_ opening: Substring, until closing: String) {
            let after = rest.dropFirst(opening.count)
            let end = after.firstRange(of: closing)?.upperBound ?? rest.endIndex
            current += rest[..<end]
            rest = rest[end...]
        }
        while let character = rest.first {
            if rest.hasPrefix("--") {
                let end = rest.firstIndex(of: "\n") ?? rest.endIndex
                if !current.allSatisfy(\.isWhitespace) { current += rest[..<end] }
                rest = rest[end...]
            } else if character == "'" {
                take("'", until: "'")
            } else if let tag = rest.prefixMatch(of: /\$[a-z]*\$/) {
                take(tag.0, until: String(tag.0))
            } else if character == ";" {
                statements.append(current.trimmingWhitespace() + ";")
                current = ""
                rest = rest.dropFirst()
            } else {
                current.append(character)
                rest = rest.dropFirst()
            }
        }
        return statements
    }

    /// Source: PostgreSQL documentation, section "Table-Level Locks".
    private static func lock(of sql: String, created: inout Set<String>) -> String? {
        if let table = sql.prefixMatch(of: /CREATE TABLE (?!IF)([a-z_]+)/)?.1 {
            created.insert(String(table))
            return nil
        }
        let rules: [(Regex<(Substring, Substring)>, String)] = [
            (/ALTER TABLE ([a-z_]+)[\s\S]*VALIDATE CONSTRAINT/, "SHARE UPDATE EXCLUSIVE"),
            (/ALTER TABLE ([a-z_]+)/, "ACCESS EXCLUSIVE"),
            (/CREATE (?:UNIQUE )?INDEX CONCURRENTLY [\s\S]*? ON ([a-z_]+)/, "SHARE UPDATE EXCLUSIVE"),
            (/CREATE (?:UNIQUE )?INDEX [\s\S]*? ON ([a-z_]+)/, "SHARE"),
            (/CREATE TRIGGER [\s\S]*? ON ([a-z_]+)/, "SHARE ROW EXCLUSIVE"),
            (/INSERT INTO ([a-z_]+)/, "ROW EXCLUSIVE"),
            (/UPDATE ([a-z_]+)/, "ROW EXCLUSIVE"),
            (/DELETE FROM ([a-z_]+)/, "ROW EXCLUSIVE"),
        ]
        for (pattern, mode) in rules {
            guard let table = sql.prefixMatch(of: pattern)?.1 else { continue }
            return created.contains(String(table)) ? nil : "\(mode) on \(table)"
        }
        return nil
    }
}

extension String {
    fileprivate func trimmingWhitespace() -> String {
        let start = firstIndex { !$0.isWhitespace } ?? endIndex
        let end = lastIndex { !$0.isWhitespace }.map { index(after: $0) } ?? start
        return String(self[start..<end])
    }
}
