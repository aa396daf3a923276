public import FlowControl

/// Settings of the sync of notes.
public struct SyncConfiguration: Sendable {
    /// What to do with a create whose outcome is unknown.
    public enum UnknownCreates: String, Sendable, CaseIterable {
        /// Send it again with the same idempotency key.
        case retry
        /// Leave it for an operator to settle.
        case hold
    }

    /// What to do when a user's credentials name another database than the user's pages lie in.
    public enum DatabaseChanges: String, Sendable, CaseIterable {
        /// Fail the job.
        case stop
        /// Create every page in the new database.
        case recreate
    }

    /// What to do with a note whose page the user put in the trash.
    public enum TrashedPages: String, Sendable, CaseIterable {
        case leave, recreate
    }

    /// The worker's name, for what is wrong with its machine.
    public var worker = ""
    /// Notes of one job in flight at once.
    public var noteConcurrency = 4
    /// Notes of all jobs of a worker in flight at once.
    public var workerNoteConcurrency = 16
    /// Tries of a note within one job.
    public var noteAttempts = 3
    public var noteBackoffBase = Duration.milliseconds(500)
    public var noteBackoffCap = Duration.seconds(30)
    /// How far before the cursor an incremental sync asks: for edits that reached Keep late.
    public var cursorLookback = Duration.seconds(600)
    /// Fetch at most so many notes, for testing. Such a fetch never moves the cursor.
    public var noteLimit: Int?
    public var unknownCreates = UnknownCreates.retry
    public var trashedPages = TrashedPages.leave
    public var databaseChanges = DatabaseChanges.stop
    /// Whether a job fails whose user's credentials are not known to be the user's own.
    public var requiresBoundCredentials = false
    /// Unknown outcomes of one note after which it is held, whatever the policy.
    public var unknownLimit = 2
    /// How old the latest unknown outcome is at least when the writer is asked whether it is well again.
    public var unknownCooldown = Duration.seconds(30)
    /// Unknown outcomes with no success between them after which a run ends.
    public var ambiguousInARow = 3
    /// How long a request may wait between its commit and its being sent.
    public var sendingSlack = Duration.seconds(10)
    /// How long a server must have been up before a request that is found open counts as one that nobody hears out:
    /// workers that are alive record first what they heard while it was away.
    public var recordingGrace = Duration.seconds(10)
    /// Longest note taken from the Keep Extractor, in bytes of JSON.
    public var maximumNoteBytes = 16 << 20
    /// Lines that one run of a job may add to its log: so many that say how it goes, and as many that say what is
    /// wrong.
    public var maximumLogLines = 10_000
    /// The gates of the peers.
    public var flow = FlowConfiguration()

    public init() {}
}
