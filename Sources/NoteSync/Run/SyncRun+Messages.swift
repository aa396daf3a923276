internal import Telemetry

extension SyncRun {
    /// The message of a failed call made fit for logs and tables: no secret, bounded. What the peer said is in it in
    /// sentences of ours only.
    func clean(_ failure: NotionWriterClient.Failure) -> String {
        let secrets = [credentials.googleToken, credentials.notionToken].filter { $0.count >= Self.shortestSecret }
        return Redactor(secrets: secrets).sanitize(failure.message, limit: Self.longestMessage)
    }

    private static let shortestSecret = 6
    /// Longest message, in characters: an address and an advice have room.
    private static let longestMessage = 1000
}
