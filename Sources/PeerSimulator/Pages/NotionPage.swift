/// A page as the writer has left it in Notion.
struct NotionPage: Sendable {
    /// Where the page stands.
    enum Presence: String, Sendable, Encodable {
        case live
        /// In Notion's trash: every update is refused.
        case trashed
        /// Deleted for good: Notion says that it cannot find the page.
        case removed
        /// Deleted for good: Notion says that it cannot find the block.
        case removedBlock = "removed_block"
    }

    let id: String
    let databaseID: String
    var title: String
    var labels: [String]
    var images: [PageRequest.Image]
    /// `created_at` of the note the page was made from.
    let noteCreatedAt: String
    /// The text of each write, in order: the create's, then what every update appended.
    var appended: [String]
    /// UTF-8 bytes of all that was written.
    var contentBytes: Int
    var updates = 0
    var presence = Presence.live
    var idempotencyKeys: [String] = []
    let created: KeepTimestamp
    var updated: KeepTimestamp

    var url: String { "https://www.notion.so/" + id.filter { $0 != "-" } }

    /// The paragraph blocks, each of at most 2,000 characters as Notion allows.
    var blocks: [String] {
        appended.flatMap { text in
            text.split(separator: "\n", omittingEmptySubsequences: true).flatMap { line in
                var rest = line
                var pieces: [String] = []
                while rest.count > 2_000 {
                    pieces.append(String(rest.prefix(2_000)))
                    rest = rest.dropFirst(2_000)
                }
                return pieces + [String(rest)]
            }
        }
    }
}

/// A page as the control API shows it.
struct NotionPageView: Encodable, Sendable {
    let page: NotionPage
    /// With the text; a list of many thousand pages is easier without.
    let withContent: Bool

    private enum CodingKeys: String, CodingKey {
        case id, url, title, labels, images, blocks, appended, versions, updates, state
        case databaseID = "database_id"
        case noteCreatedAt = "note_created_at"
        case contentBytes = "content_bytes"
        case idempotencyKeys = "idempotency_keys"
        case createdTime = "created_time"
        case updatedTime = "updated_time"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(page.id, forKey: .id)
        try container.encode(page.url, forKey: .url)
        try container.encode(page.databaseID, forKey: .databaseID)
        try container.encode(page.title, forKey: .title)
        try container.encode(page.labels, forKey: .labels)
        try container.encode(page.images, forKey: .images)
        try container.encode(page.noteCreatedAt, forKey: .noteCreatedAt)
        try container.encode(page.contentBytes, forKey: .contentBytes)
        try container.encode(page.updates + 1, forKey: .versions)
        try container.encode(page.updates, forKey: .updates)
        try container.encode(page.presence, forKey: .state)
        try container.encode(page.idempotencyKeys, forKey: .idempotencyKeys)
        try container.encode(page.created.text(.naive), forKey: .createdTime)
        try container.encode(page.updated.text(.naive), forKey: .updatedTime)
        if withContent {
            try container.encode(page.appended, forKey: .appended)
            try container.encode(page.blocks, forKey: .blocks)
        }
    }
}
