/// What the service can't do without.
enum Dependency: String, CaseIterable, Sendable {
    case database
    case keepExtractor = "keep_extractor"
    case notionWriter = "notion_writer"

    /// For people.
    var name: String {
        switch self {
        case .database: "Database"
        case .keepExtractor: "Keep Extractor"
        case .notionWriter: "Notion Writer"
        }
    }
}
