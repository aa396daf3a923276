/// What the service can't do without, and whether it does its work.
enum Dependency: String, Sendable {
    case database
    case keepExtractor = "keep_extractor"
    case notionWriter = "notion_writer"
    case work

    /// What `/health` and the metrics list as dependencies.
    static let listed: [Dependency] = [.database, .keepExtractor, .notionWriter]

    /// What `/health` says: everything is there, and the verdict finds nothing wrong.
    /// Nobody waits for the verdict: before there is one, nothing has been found wrong.
    static func areAllUp(_ states: [Dependency: HealthMonitor.State]) -> Bool {
        let isNothingFound = states[.work].map { $0.isUp || $0.since == nil } ?? true
        return isNothingFound && listed.allSatisfy { states[$0]?.isUp == true }
    }

    /// For people.
    var name: String {
        switch self {
        case .database: "Database"
        case .keepExtractor: "Keep Extractor"
        case .notionWriter: "Notion Writer"
        case .work: "Work"
        }
    }
}
