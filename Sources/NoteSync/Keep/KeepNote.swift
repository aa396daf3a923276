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

    /// Its place in the response it came in, from 1, over all notes listed there.
    public var position = 0

    /// N, if the title is `Note #N` for the note at position N: what the extractor calls an untitled note. The same
    /// note has another number in the next response. Any other title, `Note #007` among them, was given by a person.
    public var untitledNumber: Int? {
        title == "Note #\(position)" ? position : nil
    }
}
