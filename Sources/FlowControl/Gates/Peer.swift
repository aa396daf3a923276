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

    /// The peers with these gates as a sentence names them, `the Notion Writer`; `a peer` where there are none.
    public static func words(for gates: [String]) -> String {
        let names = gates.map { "the \(Peer(rawValue: $0)?.name ?? $0)" }
        return names.isEmpty ? "a peer" : names.joined(separator: " or ")
    }
}
