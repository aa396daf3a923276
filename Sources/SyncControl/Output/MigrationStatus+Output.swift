import Foundation
import Postgres

extension MigrationStatus {
    var json: JSONValue {
        [
            "version": .int(version), "name": .string(name), "state": .string(state.word),
            "applied_at": .time(state.appliedAt), "compatible_from": .int(compatibleFrom),
        ]
    }
}

extension MigrationStatus.State {
    var word: String {
        switch self {
        case .applied: "applied"
        case .pending: "pending"
        case .changed: "changed"
        case .replaced: "replaced"
        case .newer: "newer"
        case .unknown: "unknown"
        }
    }

    /// Whether this program can run with the tables as they are.
    var isFit: Bool {
        switch self {
        case .applied, .newer: true
        case .pending, .changed, .replaced, .unknown: false
        }
    }

    var appliedAt: Date? {
        switch self {
        case .pending: nil
        case .applied(let date), .changed(let date), .newer(let date), .unknown(let date), .replaced(_, let date): date
        }
    }

    /// What is wrong and what to do, after the migration's name.
    var explanation: String {
        switch self {
        case .applied: "is applied"
        case .pending: "is pending; run: syncctl migrate"
        case .changed:
            "was applied with another text than this program has; use the release that migrated this database, or a later one; if "
                + "this program was built from changed sources, restore the file and build it again"
        case .replaced(let name, _):
            "stands where \(name) was applied by a version that was never released; create a new database and copy the rows"
        case .newer: "is newer than this program, which can run with it"
        case .unknown:
            "is not known to this program, which can't run with it; a newer version has run here, use that or a later one"
        }
    }
}
