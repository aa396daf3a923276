/// One thing that is done to a run. What it is done to is a number drawn beforehand; it is taken modulo what there is
/// then.
enum Attack: Sendable, Equatable {
    // Processes
    case kill(worker: Int, downMilliseconds: Int)
    case pause(worker: Int, milliseconds: Int)
    case stop(worker: Int, downMilliseconds: Int)

    // The database
    case terminateBackends(worker: Int)
    case terminateOneBackend(choice: Int)
    case restartDatabase(downMilliseconds: Int)
    /// The server is lost, some time after its standby has last heard of it, and found again for a while before it
    /// follows.
    case failOver(silence: Int, stale: Int)
    /// A claim is made, and its answer lost.
    case loseClaim(worker: Int, for: Int)
    /// No worker can record the end of a job.
    case refuseEnd(choice: Int, for: Int)
    case readOnly(for: Int, terminates: Bool)
    case limitStatements(milliseconds: Int, for: Int)
    case cancelStatements(worker: Int, for: Int)

    // The wires
    case cut(wire: Wire, worker: Int)
    case delay(wire: Wire, worker: Int, milliseconds: Int, for: Int)
    case hold(wire: Wire, worker: Int, for: Int, thenReset: Bool)
    case refuse(wire: Wire, worker: Int, for: Int)
    /// Connections that are open go silent; new ones are not affected.
    case silence(wire: Wire, worker: Int, for: Int, thenReset: Bool)

    // The peers
    case faults(rules: [PeerFault], for: Int)
    case forgetSessions
    case unshare(user: Int, for: Int)
    case revoke(user: Int, for: Int)
    case trashPage(choice: Int)
    case removePage(choice: Int, asBlock: Bool)

    // People
    case insertJob(user: Int, full: Bool)
    case cancelJob(choice: Int)
    case retryJob(choice: Int)
    case reinsertJob(choice: Int)
    case sql(JobStatement, choice: Int, for: Int)
    case deleteState(user: Int)
    case deleteOneState(choice: Int)
    case moveDatabase(user: Int)
    case editNote(choice: Int, changesTitle: Bool)
    case createNote
    case trashNote(choice: Int)

    /// Plain SQL on jobs, other than what the cases above send.
    enum JobStatement: String, Sendable, CaseIterable {
        /// Of a user, whatever they do, by one statement.
        case cancelMany, retryMany
        /// Due times and priorities of queued jobs.
        case reschedule
        case delete
        /// Several by one INSERT, in a transaction that stays open for a while.
        case insertMany
        /// A transaction that locks a job, or changes it, and stays open for a while; the last is rolled back.
        case lock, cancelLater, cancelNever
        /// Cancels, queues again or deletes a job at a moment at which a request of it is on its way.
        case interrupt
    }

    /// Which connections of a worker.
    enum Wire: String, Sendable, CaseIterable { case database, extractor, writer }

    /// How long it goes on, in milliseconds.
    var length: Int {
        switch self {
        case .kill(_, let length), .pause(_, let length), .stop(_, let length), .restartDatabase(let length): length
        case .readOnly(let length, _), .limitStatements(_, let length), .cancelStatements(_, let length),
            .loseClaim(_, let length), .refuseEnd(_, let length):
            length
        case .delay(_, _, _, let length), .hold(_, _, let length, _), .refuse(_, _, let length),
            .silence(_, _, let length, _):
            length
        case .sql(_, _, let length): length
        case .faults(_, let length), .unshare(_, let length), .revoke(_, let length): length
        default: 0
        }
    }

    /// Whether a commit that waits for a standby may be answered before the standby has it: to cancel it ends its wait.
    var mayAcknowledgeEarly: Bool {
        switch self {
        case .limitStatements, .cancelStatements: true
        default: false
        }
    }

    /// Whose wire it is made to; nil for none.
    var wire: (wire: Wire, worker: Int)? {
        switch self {
        case .cut(let wire, let worker), .delay(let wire, let worker, _, _), .hold(let wire, let worker, _, _),
            .refuse(let wire, let worker, _), .silence(let wire, let worker, _, _):
            (wire, worker)
        default: nil
        }
    }

    /// What the table counts it as.
    var kind: String {
        switch self {
        case .kill: "kill"
        case .pause: "pause"
        case .stop: "stop"
        case .terminateBackends, .terminateOneBackend: "backend"
        case .restartDatabase: "restart"
        case .failOver: "failover"
        case .readOnly: "readonly"
        case .limitStatements: "limit"
        case .cancelStatements: "cancel"
        case .silence: "silence"
        case .loseClaim: "claim"
        case .refuseEnd: "end"
        case .cut: "cut"
        case .refuse: "refuse"
        case .delay: "delay"
        case .hold: "hold"
        case .faults, .forgetSessions: "peer"
        case .unshare, .revoke, .trashPage, .removePage: "notion"
        case .insertJob: "insert"
        case .cancelJob, .retryJob, .reinsertJob: "job"
        case .sql: "sql"
        case .deleteState, .deleteOneState, .moveDatabase: "state"
        case .editNote, .createNote, .trashNote: "edit"
        }
    }

    /// Kinds in the order of the table's columns.
    static let kinds = [
        "kill", "pause", "stop", "backend", "restart", "failover", "readonly", "limit", "cancel", "cut", "refuse",
        "delay",
        "hold", "silence", "claim", "end", "peer", "notion", "job", "sql", "state", "edit",
    ]
}
