/// Notion's own words, as the writer passes them on in a 500's `detail`.
struct NotionMessage: Error, Sendable, Equatable {
    let text: String

    private static let sharing = "Make sure the relevant pages and databases are shared with your integration."

    static let invalidToken = Self(text: "API token is invalid.")
    static let rateLimited = Self(text: "You have been rate limited. Please try again in a few minutes.")
    static let archivedBlock = Self(
        text: "Can't edit block that is archived. You must unarchive the block before editing."
    )

    static func databaseNotFound(_ id: String) -> Self {
        Self(text: "Could not find database with ID: \(id). \(sharing)")
    }

    static func pageNotFound(_ id: String) -> Self {
        Self(text: "Could not find page with ID: \(id). \(sharing)")
    }

    static func blockNotFound(_ id: String) -> Self {
        Self(text: "Could not find block with ID: \(id). \(sharing)")
    }
}
