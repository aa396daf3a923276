internal import FlowControl
internal import JobQueue

/// The gates that the calls of one job pass. Users with one token share its gate, and those with one database its
/// workspace's: a database lies in one workspace, and nothing else that is known of that can be told before a call.
struct JobGates: Sendable {
    let token: GateName
    let workspace: GateName
    let account: GateName

    /// Permits that a page costs: the database or the page is asked for, then written to.
    private static let requestsOfAPage = 2
    /// Writes for which permits are taken at once: a statement for as many of them.
    private static let batch = 6
    /// Longest wait in a slot, which is other users' time. Whoever comes back later has to fetch the notes once more.
    private static let longestWait = Duration.seconds(5)

    init(user: UserID, credentials: Credentials, hasher: ContentHasher) {
        token = GateName(.notionWriter, .token, key: hasher.gateKey("token \(credentials.notionToken)"))
        let database = NotionDatabaseID(credentials.databaseID)
        workspace = GateName(.notionWriter, .workspace, key: hasher.gateKey("database \(database.text)"))
        account = GateName(.keepExtractor, .account, key: hasher.gateKey("account \(user.rawValue)"))
    }

    private var ofNotion: [GateName] { [GateName(.notionWriter), workspace, token] }

    /// For the writes of pages.
    func writes(_ flow: FlowControl, _ watch: PeerWatch) -> CallGate {
        CallGate(
            CallGate.Calls(
                peer: .notionWriter,
                gates: ofNotion,
                paced: token,
                caller: account,
                cost: Self.requestsOfAPage,
                batch: Self.batch,
                leastBatch: 1,
                longestWait: Self.longestWait,
                isWatched: true
            ),
            flow: flow,
            watch: watch
        )
    }

    /// For login and fetch, permits of which are taken together. They pass the gates of Notion too: what is fetched is
    /// to be written.
    ///
    /// - Parameter prober: who finds out whether a peer is back; the job that is given the probe begins with it.
    func fetches(_ flow: FlowControl, _ watch: PeerWatch, prober: @escaping CallGate.Prober) -> CallGate {
        CallGate(
            CallGate.Calls(
                peer: .keepExtractor,
                gates: [GateName(.keepExtractor), account] + ofNotion,
                paced: account,
                caller: account,
                cost: 1,
                batch: 2,
                leastBatch: 2,
                longestWait: Self.longestWait,
                isWatched: false
            ),
            flow: flow,
            watch: watch,
            prober: prober
        )
    }
}
