/// What people are told of.
public enum AlertKind: String, Sendable, CaseIterable {
    /// Jobs failed for good; one condition for each cause.
    case jobFailed = "job_failed"
    /// Jobs were given up because their workers died.
    case crashBudget = "crash_budget"
    /// The last jobs of one user all failed.
    case userFailing = "user_failing"
    /// Users have not been synced for too long.
    case userNotSynced = "user_not_synced"
    /// More than a share of the notes of users' last jobs failed, though the jobs completed.
    case notesFailing = "notes_failing"
    /// Writes whose outcome is unknown wait for an operator.
    case unknownCreatesHeld = "unknown_creates_held"
    /// Jobs are put off again and again: they neither run nor fail.
    case jobSnoozed = "job_snoozed"
    /// Syncs run with credentials that something other than this service's programs has changed; one condition for each
    /// user.
    case credentialsChangedOutside = "credentials_changed_outside"
    /// Keep Extractor or Notion Writer does not answer.
    case peerDown = "peer_down"
    /// The workers have found Keep Extractor or Notion Writer out of order, and call it no more but to find out whether
    /// it is back.
    case breakerOpen = "breaker_open"
    /// The tables are not those that this version needs.
    case schemaNotCurrent = "schema_not_current"
    /// The key is gone that hashes of notes were made with: nobody is synchronized.
    case installationKeyMissing = "installation_key_missing"

    /// How the key of an alert ends that counts what has no alert of its own, as too many of its kind are open.
    static let otherCauses = "::other"

    /// Those that are over when nothing has happened for a while; of the others a check tells.
    static let counted: [AlertKind] = [.jobFailed, .crashBudget, .credentialsChangedOutside]
    /// Those that a check finds, and finds to be over.
    static let checked: [AlertKind] = allCases.filter { !counted.contains($0) }

    /// Those of which there is one condition, whose key is the kind.
    static let single: [AlertKind] = [
        .userNotSynced, .notesFailing, .unknownCreatesHeld, .jobSnoozed, .schemaNotCurrent, .installationKeyMissing,
    ]

    /// Those that a channel counts apart, so that no number of others keeps one of them back.
    static let critical: [String] = allCases.filter { $0.severity == .critical }.map(\.rawValue)

    /// Whether its count is of users.
    var countsUsers: Bool { self == .userNotSynced || self == .notesFailing }

    /// How bad it is.
    public var severity: AlertSeverity {
        switch self {
        case .peerDown, .breakerOpen, .schemaNotCurrent, .installationKeyMissing: .critical
        case .jobFailed, .crashBudget, .userFailing, .userNotSynced, .notesFailing, .jobSnoozed,
            .credentialsChangedOutside:
            .error
        case .unknownCreatesHeld: .warning
        }
    }

    /// What a person should do.
    var advice: String {
        switch self {
        case .jobFailed:
            "See syncctl jobs --status failed; fix what the error says, then syncctl retry JOB. After an outage: syncctl retry "
                + "--failed-since 2h."
        case .crashBudget:
            "See the logs of the workers that died (memory?), then syncctl retry JOB."
        case .userFailing:
            "See syncctl jobs --user USER; most often the user has to log in or share the database again."
        case .userNotSynced:
            "See whether the gateway still enqueues and a worker runs: syncctl workers, syncctl jobs --user USER."
        case .notesFailing:
            "See why, and what becomes of each note, with syncctl failed list --user USER. What many fail of is mostly the writer's or the "
                + "database's; once that is fixed, syncctl failed retry USER sends the refused ones again. Held ones and those whose write "
                + "is of unknown outcome wait for syncctl unknown settle or retry; the next sync asks for all others by itself."
        case .unknownCreatesHeld:
            "Look at the pages in Notion, then syncctl unknown list and syncctl unknown settle or retry."
        case .jobSnoozed:
            "See why with syncctl jobs --status queued. What a peer asks to wait for goes on without end: look at that peer; syncctl retry "
                + "JOB makes a job due now, syncctl cancel JOB ends it."
        case .credentialsChangedOutside:
            "Find out who changed them. If they are the user's own: syncctl credentials bind USER. If not: syncctl cancel the user's jobs "
                + "and store the right ones with syncctl credentials set USER --database-id ID. With SYNC_CREDENTIALS_BINDING=require such jobs fail."
        case .peerDown:
            "Start it, or look at its logs and the network between. Once the workers have found it out of order (syncctl gates says so), "
                + "jobs wait without spending attempts and go on by themselves. With SYNC_BREAKER_FAILURES=0 jobs that meet it spend "
                + "attempts and may fail; retry those afterwards: syncctl retry --failed-since 2h."
        case .breakerOpen:
            "Start it, or look at its logs and the network between; syncctl gates shows what the workers know. Jobs wait without spending "
                + "attempts and go on by themselves within seconds."
        case .schemaNotCurrent:
            "Run syncctl migrate with the version of the program that the workers run."
        case .installationKeyMissing:
            "Restore the row of sync_installation_keys, or do without the old hashes: see syncctl credentials check."
        }
    }
}

/// How bad it is, in PagerDuty's words.
public enum AlertSeverity: String, Sendable {
    case critical, error, warning, info
}
