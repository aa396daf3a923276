/// Where the Notion Writer is.
public struct NotionWriterConfiguration: Sendable {
    /// Base URL.
    public var url: String
    /// For one call. A create is two calls of Notion's of up to a minute each, plus waiting: too short a time-out makes
    /// a page that is created after it appear twice.
    public var timeout: Duration

    public init(url: String = "http://localhost:8004", timeout: Duration = .seconds(180)) {
        self.url = url
        self.timeout = timeout
    }
}
