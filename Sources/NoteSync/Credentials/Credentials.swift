/// What it takes to read a user's Keep notes and write to the user's Notion database.
public struct Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Master token of the Google account.
    public var googleToken: String
    /// Token of the Notion integration.
    public var notionToken: String
    /// Database in which pages are created.
    public var databaseID: String

    public init(googleToken: String, notionToken: String, databaseID: String) {
        self.googleToken = googleToken
        self.notionToken = notionToken
        self.databaseID = databaseID
    }

    public var description: String { "Credentials(database: \(databaseID))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["databaseID": databaseID]) }
}
