import Foundation

/// Writes the migration files it is given into one Swift file, in the order given.
///
/// Usage: `EmbedMigrations OUTPUT.swift MIGRATION.sql …`. A file that is not `NNNN_name.sql`, or not UTF-8, ends the
/// build with a message that names it.
@main
enum EmbedMigrations {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let output = arguments.first else {
            throw EmbedError("usage: EmbedMigrations OUTPUT.swift MIGRATION.sql …")
        }
        var source = "import Postgres\n\nlet embeddedMigrations: [Migration] = [\n"
        for path in arguments.dropFirst() {
            source += try literal(of: URL(filePath: path))
        }
        source += "]\n"
        try Data(source.utf8).write(to: URL(filePath: output))
    }

    private static func literal(of file: URL) throws -> String {
        let name = file.lastPathComponent
        guard let match = name.wholeMatch(of: /([0-9]{4})_([a-z0-9_]+)\.sql/), let version = Int(match.1) else {
            throw EmbedError("\(name): a migration is named NNNN_lower_case_words.sql")
        }
        let sql = try String(contentsOf: file, encoding: .utf8)
        guard !sql.contains("\"\"\"####") else {
            throw EmbedError("\(name): holds the delimiter used to embed it")
        }
        return "    Migration(\n        version: \(version),\n        name: \"\(match.2)\",\n"
            + "        sql: ####\"\"\"\n\(sql)\n\"\"\"####\n    ),\n"
    }
}

struct EmbedError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
