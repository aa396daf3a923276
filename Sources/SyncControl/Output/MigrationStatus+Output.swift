import Foundation
import Postgres

extension MigrationStatus {
    var json: JSONValue {
        [
            "version": .int(version), "name": .string(name), "state": .string(state.word),
            "applied_at": .time(state.appliedAt),
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
        case .unknown: "unknown"
        }
    }

    var isApplied: Bool {
        if case .applied = self { true } else { false }
    }

    var appliedAt: Date? {
        switch self {
        case .pending: nil
        case .applied(let date), .changed(let date), .unknown(let date), .replaced(_, let date): date
        }
    }

    /// What is wrong and what to do, after the migration's name.
    var explanation: String {
        switch self {
        case .applied: "is applied"
        case .pending: "is pending; run: syncctl migrate"
        case .changed: "was changed after it had been applied; use the program it was applied by, or a later one"
        case .replaced(let name, _):
            "stands where \(name) was applied by a version that was never released; create a new database and copy the rows"
        case .unknown: "is not known to this program; a newer version has run here, use that or a later one"
        }
    }
}
