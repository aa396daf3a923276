internal import JobQueue

/// What it takes to read a user's Keep notes and write to the user's Notion database.
public struct Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Master token of the Google account.
    public var googleToken: String
    /// Token of the Notion integration.
    public var notionToken: String
    /// Database in which pages are created.
    public var databaseID: String
    /// Whether they are known to be the user's own, where they were loaded.
    public internal(set) var binding = CredentialBinding.absent

    public init(googleToken: String, notionToken: String, databaseID: String) {
        self.googleToken = googleToken
        self.notionToken = notionToken
        self.databaseID = databaseID
    }

    /// Whether they name another account, token or database.
    func differs(from other: Credentials) -> Bool {
        googleToken != other.googleToken || notionToken != other.notionToken || databaseID != other.databaseID
    }

    /// The command that stores the user's credentials again, to be pasted.
    func setCommand(of user: UserID) -> String {
        CredentialStore.setCommand(of: user, isChangedOutside: binding.isChangedOutside)
    }

    public var description: String { "Credentials(database: \(databaseID))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["databaseID": databaseID]) }
}
