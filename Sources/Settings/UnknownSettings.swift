/// Variables that look like settings and are none: typing errors that would otherwise go unnoticed.
public enum UnknownSettings {
    private static let prefixes = ["SYNC_", "ALERT_", "NOTIFICATION_"]

    /// Variables read by the scripts that build and test the project.
    private static let development: Set<String> = [
        "SYNC_TEST_PROMTOOL", "SYNC_TEST_PGBOUNCER", "SYNC_TEST_PYTHON", "SYNC_TEST_SPIN", "SYNC_TEST_FAKETIME",
        "SYNC_TEST_SOAK",
        "SYNC_FUZZ_RUNS", "SYNC_FUZZ_SEED", "SYNC_WARNINGS_AS_ERRORS",
    ]

    /// Variables that stand in the environment file of an installation and are read by the gateway, the admin interface
    /// or the service that this one replaces.
    private static let ofNeighbours: Set<String> = ["SYNC_SERVICE_URL"]

    /// One warning for each variable of `environment` that begins as settings do and is none, with the nearest setting,
    /// if one is near. Values are not shown.
    public static func warnings(in environment: [String: String]) -> [String] {
        let known = Set(SettingsKeys.all.map(\.name)).union(development).union(ofNeighbours)
        let unknown = environment.filter { name, value in
            prefixes.contains(where: name.hasPrefix) && !known.contains(name) && !isServiceLink(name, value)
        }
        return unknown.keys.sorted().map { name in
            let advice = nearest(to: name).map { "did you mean \($0)?" } ?? "--help lists the settings"
            return "unknown setting \(name): \(advice)"
        }
    }

    private static func nearest(to name: String) -> String? {
        let distances = SettingsKeys.all.map { ($0.name, distance(name, $0.name)) }
        guard let best = distances.min(by: { $0.1 < $1.1 }), best.1 <= max(2, name.count / 4) else { return nil }
        return best.0
    }

    /// Variables that Kubernetes and Docker set for a service whose name begins with `sync`:
    /// `SYNC_SERVICE_SERVICE_HOST`, `SYNC_SERVICE_PORT_8005_TCP_ADDR`.
    private static func isServiceLink(_ name: String, _ value: String) -> Bool {
        value.hasPrefix("tcp://") || value.hasPrefix("udp://") || name.hasSuffix("_SERVICE_HOST")
            || name.hasSuffix("_SERVICE_SERVICE_PORT") || name.contains("_SERVICE_PORT_")
            || name.contains("_TCP_") || name.contains("_UDP_")
    }

    /// The number of characters to insert, delete, replace or swap to make `a` of `b` (optimal string alignment).
    private static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a.utf8)
        let b = Array(b.utf8)
        var rows = [Array(0...b.count)]
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
