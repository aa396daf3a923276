public import Foundation

/// The state of one migration in one database.
public struct MigrationStatus: Sendable, Hashable {
    /// Where a migration stands.
    public enum State: Sendable, Hashable {
        /// It was applied as this program knows it.
        case applied(at: Date)
        /// It is still to be applied.
        case pending
        /// It was applied, but its file has been changed since.
        case changed(appliedAt: Date)
        /// Another migration was applied under its number, by a version that was never released.
        case replaced(appliedName: String, appliedAt: Date)
        /// It was applied by a newer program; this one does not know it and can run with it.
        case newer(appliedAt: Date)
        /// It was applied by another, probably newer, program; this one does not know it and can't run with it.
        case unknown(appliedAt: Date)
    }

    public let version: Int
    public let name: String
    public let state: State
    /// The version that a program must know at least to run with it.
    public let compatibleFrom: Int

    /// The name of the file, `NNNN_name.sql`.
    public var fileName: String { Migration.fileName(version: version, name: name) }
}

extension [MigrationStatus] {
    /// The files that wait to be applied, oldest first.
    var pendingFileNames: [String] { filter { $0.state == .pending }.map(\.fileName) }

    /// What a person should know of migrations that are newer than this program and that it can run with; nil if there
    /// are none.
    public var warning: String? {
        let newer = filter { if case .newer = $0.state { true } else { false } }.map(\.fileName)
        guard !newer.isEmpty else { return nil }
        return "The database is newer than this program (\(newer.joined(separator: ", "))), which can run with it: "
            + "update the program when the deployment is done"
    }

    /// Throws a ``PostgresError`` with code `migrationChanged`, `migrationUnknown` or `migrationGap` if what was
    /// applied does not fit what this program knows.
    public func validate() throws {
        var firstPending: MigrationStatus?
        for status in self {
            switch status.state {
            case .applied, .newer:
                guard let missing = firstPending else { continue }
                throw PostgresError(
                    .migrationGap,
                    "Migration \(missing.fileName) was not applied but the later \(status.fileName) was, so another release, or a changed "
                        + "one, has run here: use the release that migrated this database, or a later one"
                )
            case .pending:
                firstPending = firstPending ?? status
            case .changed:
                throw PostgresError(
                    .migrationChanged,
                    "Migration \(status.fileName) was applied with another text than this program has: use the release that migrated "
                        + "this database, or a later one. If this program was built from changed sources, restore "
                        + "migrations/\(status.fileName) and build it again. Change neither an applied migration nor its record"
                )
            case .replaced(let appliedName, _):
                throw PostgresError(
                    .migrationChanged,
                    "The database has \(Migration.fileName(version: status.version, name: appliedName)) where this program "
                        + "has \(status.fileName), so it was set up by a version that was never released: "
                        + "create a new database with `syncctl migrate` and copy the rows of the public tables into it"
                )
            case .unknown:
                throw PostgresError(
                    .migrationUnknown,
                    "The database has migration \(status.fileName), which this program does not know and can't run with "
                        + "(it takes one that knows migration \(status.compatibleFrom)): a newer version has run here; "
                        + "use that or a later one"
                )
            }
        }
    }
}
