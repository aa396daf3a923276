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
        /// It was applied by another, probably newer, program and is not known to this one.
        case unknown(appliedAt: Date)
    }

    public let version: Int
    public let name: String
    public let state: State

    /// The name of the file, `NNNN_name.sql`.
    public var fileName: String { Migration.fileName(version: version, name: name) }
}

extension [MigrationStatus] {
    /// The files that wait to be applied, oldest first.
    var pendingFileNames: [String] { filter { $0.state == .pending }.map(\.fileName) }

    /// Throws a ``PostgresError`` with code `migrationChanged`, `migrationUnknown` or `migrationGap` if what was applied
    /// does not fit what this program knows.
    func validate() throws {
        var firstPending: MigrationStatus?
        for status in self {
            switch status.state {
            case .applied:
                guard let missing = firstPending else { continue }
                throw PostgresError(
                    .migrationGap,
                    "Migration \(missing.fileName) was not applied but the later \(status.fileName) was: "
                        + "rename it to come after all applied ones"
                )
            case .pending:
                firstPending = firstPending ?? status
            case .changed:
                throw PostgresError(
                    .migrationChanged,
                    "Migration \(status.fileName) was changed after it had been applied: "
                        + "restore the file and put the change into a new migration"
                )
            case .unknown:
                throw PostgresError(
                    .migrationUnknown,
                    "The database has migration \(status.fileName), which this program does not know: "
                        + "a newer version has run here; use that or a later one"
                )
            }
        }
    }
}
