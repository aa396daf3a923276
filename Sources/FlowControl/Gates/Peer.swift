/// A service that calls are made of.
public enum Peer: String, Sendable, CaseIterable {
    case keepExtractor = "keep_extractor"
    case notionWriter = "notion_writer"

    /// As people call it.
    public var name: String {
        switch self {
        case .keepExtractor: "Keep Extractor"
        case .notionWriter: "Notion Writer"
        }
    }
}
