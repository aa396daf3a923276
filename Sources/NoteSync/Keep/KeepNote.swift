/// A note as the Keep Extractor gives it.
public struct KeepNote: Sendable, Equatable {
    public struct Image: Sendable, Equatable {
        public var id: String
        public var filename: String
        /// Where the image lies; nil when the extractor lost it. New on every fetch.
        public var url: String?
    }

    public var id: String
    public var title: String
    public var content: String
    /// As the extractor wrote it; passed on as it is.
    public var createdAt: String
    public var modifiedAt: KeepTimestamp
    public var labels: [String]
    public var images: [Image]

    /// N, if the title is `Note #N`: what the extractor calls an untitled note by its position in one response. The same
    /// note has another number in the next response.
    public var untitledNumber: Int? {
        guard title.hasPrefix("Note #") else { return nil }
        let digits = title.dropFirst("Note #".count)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return nil }
        return Int(digits)
    }
}
