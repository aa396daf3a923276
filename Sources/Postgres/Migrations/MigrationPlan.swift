/// What a migration would run, statement by statement, with the locks on tables in use that each takes.
public struct MigrationPlan: Sendable {
    /// A statement and its lock.
    public struct Statement: Sendable, Equatable {
        public var sql: String
        /// As `ACCESS EXCLUSIVE on sync_jobs`; nil if it locks no table that was there before. What a block of PL/pgSQL
        /// or a function locks is said by a line `-- locks: …` before it.
        public var lock: String?
        /// Without which the statement is left out; nil: none.
        public var condition: String?
    }

    public let migration: Migration
    public let statements: [Statement]

    public init(of migration: Migration) {
        self.migration = migration
        var created: Set<String> = []
        statements = Self.split(migration.sql).map { text in
            let lock = Self.lock(of: text.sql, created: &created)
            let condition = Migration.condition(of: text.comment)
            return Statement(sql: text.sql, lock: Self.statedLock(in: text.comment) ?? lock, condition: condition)
        }
    }

    /// The statements of a script, and the comments before each.
    private static func split(_ script: String) -> [(comment: String, sql: String)] {
        var statements: [(comment: String, sql: String)] = []
        var current = ""
        var comment = ""
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
                if current.allSatisfy(\.isWhitespace) {
                    comment += rest[..<end] + "\n"
                } else {
                    current += rest[..<end]
                }
                rest = rest[end...]
            } else if character == "'" {
                take("'", until: "'")
            } else if let tag = rest.prefixMatch(of: /\$[a-z]*\$/) {
                take(tag.0, until: String(tag.0))
            } else if character == ";" {
                statements.append((comment, current.trimmingWhitespace() + ";"))
                current = ""
                comment = ""
                rest = rest.dropFirst()
            } else {
                current.append(character)
                rest = rest.dropFirst()
            }
        }
        return statements
    }

    private static func statedLock(in comment: String) -> String? {
        comment.split(separator: "\n").lazy.compactMap { $0.wholeMatch(of: /-- locks: (.+)/)?.1 }.last.map(String.init)
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
