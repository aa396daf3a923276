/// A note as the Notion Writer takes it.
struct NotionNote: Encodable, Sendable {
    struct Image: Encodable, Sendable {
        var id: String
        var s3URL: String
        var filename: String

        private enum CodingKeys: String, CodingKey {
            case id, filename
            case s3URL = "s3_url"
        }
    }

    var title: String
    var content: String
    var createdAt: String
    var labels: [String]
    var images: [Image]

    private enum CodingKeys: String, CodingKey {
        case title, content, labels, images
        case createdAt = "created_at"
    }

    /// For a page that does not exist.
    static let nothing = NotionNote(title: "", content: "", createdAt: "", labels: [], images: [])

    private init(title: String, content: String, createdAt: String, labels: [String], images: [Image]) {
        self.title = title
        self.content = content
        self.createdAt = createdAt
        self.labels = labels
        self.images = images
    }

    /// Leaves out lost images, for which the writer would refuse the whole note.
    ///
    /// - Parameter untitledNumber: N of `Note #N`, if the page has such a title already and is to keep it.
    init(_ note: KeepNote, untitledNumber: Int?) {
        title = note.title
        if let untitledNumber, note.untitledNumber != nil { title = "Note #\(untitledNumber)" }
        content = note.content
        createdAt = note.createdAt
        labels = note.labels
        images = note.images.compactMap { image in
            image.url.map { Image(id: image.id, s3URL: $0, filename: image.filename) }
        }
    }
}
