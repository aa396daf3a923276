import Postgres
import ServiceHealth
import Settings

extension PostgresPool {
    /// Open alerts by kind, also of kinds of which there is none; empty where this role may not look at them, which a
    /// role made for an earlier version may not.
    func openAlertCounts() async throws -> [String: Int] {
        guard let open = try await openAlerts() else { return [:] }
        let counts = Dictionary(uniqueKeysWithValues: AlertWord.allCases.map { ($0.rawValue, 0) })
        return open.reduce(into: counts) { $0[$1.kind] = $1.count }
    }
}
