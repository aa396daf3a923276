public import Logging
public import Telemetry

/// The settings of the database.
public struct DatabaseSettings: SettingsGroup {
    /// libpq's connection string; may hold a password.
    public var connectionString: Sensitive<String>
    /// The size of the pool.
    public var connections: Int
    /// How long a connection of the pool is used.
    public var connectionAge: Duration

    public init(reading reader: inout SettingsReader) {
        connectionString = reader.value(SettingsKeys.databaseURL)
        // The reader has registered the variable as it is set.
        if SettingsKeys.databaseURL.type.holdsSecret(connectionString.value) {
            Redactor.register(connectionString.value)
        }
        connections = reader.value(SettingsKeys.databaseConnections)
        connectionAge = reader.value(SettingsKeys.databaseConnectionAge)
    }
}

/// The form in which a fetch gives `modified_since`.
public enum ModifiedSinceFormat: String, CaseIterable, Sendable {
    /// UTC without an offset.
    case naive
    /// UTC with an offset.
    case offset
}

/// The settings of Keep Extractor and Notion Writer.
public struct PeerSettings: SettingsGroup {
    /// Address of the Keep Extractor, without a slash at its end.
    public var keepExtractorURL: String
    /// Address of the Notion Writer, without a slash at its end.
    public var notionWriterURL: String
    /// Deadline of a fetch of notes.
    public var keepExtractorTimeout: Duration
    /// Deadline of an authentication.
    public var keepAuthTimeout: Duration
    /// Deadline of a create or update of a page.
    public var notionWriterTimeout: Duration
    /// The form of `modified_since`.
    public var modifiedSinceFormat: ModifiedSinceFormat
    /// A PEM file of additional certificate authorities.
    public var certificateFile: String?
    /// Hosts, in lower case, in a network of one's own.
    public var privateHosts: Set<String>
    /// Bound of one note, in bytes.
    public var maximumNoteBytes: Int
    /// Bound of one fetch, in bytes.
    public var maximumFetchBytes: Int
    /// Bound of one fetch, in notes.
    public var maximumFetchNotes: Int
    /// Bound of all fetches of a worker together, in bytes.
    public var maximumWorkerFetchBytes: Int

    public init(reading reader: inout SettingsReader) {
        keepExtractorURL = reader.value(SettingsKeys.keepExtractorURL)
        notionWriterURL = reader.value(SettingsKeys.notionWriterURL)
        keepExtractorTimeout = reader.value(SettingsKeys.keepExtractorTimeout)
        keepAuthTimeout = reader.value(SettingsKeys.keepAuthTimeout)
        notionWriterTimeout = reader.value(SettingsKeys.notionWriterTimeout)
        modifiedSinceFormat = reader.value(SettingsKeys.modifiedSinceFormat)
        certificateFile = reader.value(SettingsKeys.certificateFile)
        privateHosts = Set(reader.value(SettingsKeys.privateHosts).map(HostName.bare))
        maximumNoteBytes = reader.value(SettingsKeys.maximumNoteBytes)
        maximumFetchBytes = reader.value(SettingsKeys.maximumFetchBytes)
        maximumFetchNotes = reader.value(SettingsKeys.maximumFetchNotes)
        maximumWorkerFetchBytes = reader.value(SettingsKeys.maximumWorkerFetchBytes)
        if maximumWorkerFetchBytes < maximumFetchBytes {
            reader.warn(
                "SYNC_MAX_WORKER_FETCH_BYTES is below SYNC_MAX_FETCH_BYTES: it bounds one list of notes as well."
            )
        }
    }
}

/// The settings of a worker and of the queue's rules.
public struct WorkerSettings: SettingsGroup {
    /// The worker's name: as set, else host, process and four random digits.
    public var name: String
    /// Jobs at the same time.
    public var concurrency: Int
    /// Length of a lease.
    public var lease: Duration
    /// Time between two polls.
    public var pollInterval: Duration
    /// Time to finish what is in flight after SIGTERM.
    public var shutdownGrace: Duration
    /// Age at which finished jobs and their logs are deleted.
    public var jobRetention: Duration
    /// Whether jobs that ended before a take-over are kept at any age: nobody has said how long.
    public var keepsTakenOverJobs: Bool
    /// First bound of the wait before a retry.
    public var jobBackoffBase: Duration
    /// Largest bound of the wait before a retry.
    public var jobBackoffCap: Duration

    public init(reading reader: inout SettingsReader) {
        name = reader.value(SettingsKeys.workerName) ?? WorkerName.generated()
        concurrency = reader.value(SettingsKeys.workerConcurrency)
        lease = reader.value(SettingsKeys.lease)
        pollInterval = reader.value(SettingsKeys.pollInterval)
        shutdownGrace = reader.value(SettingsKeys.shutdownGrace)
        let retention = reader.value(SettingsKeys.jobRetention)
        jobRetention = retention ?? .seconds(86_400 * 30)
        keepsTakenOverJobs = retention == nil
        jobBackoffBase = reader.value(SettingsKeys.jobBackoffBase)
        jobBackoffCap = reader.value(SettingsKeys.jobBackoffCap)
        reader.check(SettingsKeys.jobBackoffBase, jobBackoffBase, notAbove: SettingsKeys.jobBackoffCap, jobBackoffCap)
    }
}

/// What becomes of a page create whose outcome is unknown.
public enum UnknownCreatePolicy: String, CaseIterable, Sendable {
    /// It is sent again with the same key.
    case retry
    /// It waits for an operator.
    case hold
}

/// What becomes of a note whose page is in Notion's trash.
public enum TrashedPagePolicy: String, CaseIterable, Sendable {
    /// The page stays there and the edit waits.
    case leave
    /// The page is created anew.
    case recreate
}

/// What becomes of a user whose credentials name another Notion database than the user's pages lie in.
public enum DatabaseChangePolicy: String, CaseIterable, Sendable {
    /// The job fails.
    case stop
    /// Every page is created in the new database.
    case recreate
}

/// What becomes of a user whose credentials are not known to be the user's own.
public enum CredentialsBindingPolicy: String, CaseIterable, Sendable {
    /// They are used; an alert tells of those that were changed since they were bound.
    case accept
    /// The job fails.
    case require
}

/// The settings of a sync.
public struct SyncSettings: SettingsGroup {
    /// Notes of one job at the same time.
    public var noteConcurrency: Int
    /// Notes of all jobs of a worker at the same time.
    public var workerNoteConcurrency: Int
    /// Notes to fetch at most; nil for all.
    public var noteLimit: Int?
    /// Tries of a note within one job.
    public var noteAttempts: Int
    /// First bound of the wait between two tries.
    public var noteBackoffBase: Duration
    /// Largest bound of the wait between two tries.
    public var noteBackoffCap: Duration
    /// How far before the cursor a sync asks.
    public var cursorLookback: Duration
    /// The rule for writes of unknown outcome.
    public var unknownCreates: UnknownCreatePolicy
    /// Unknown outcomes of a note after which it is held.
    public var unknownLimit: Int
    /// Wait before a note of unknown outcome is sent as a probe.
    public var unknownCooldown: Duration
    /// The rule for pages in the trash.
    public var trashedPages: TrashedPagePolicy
    /// The rule for a user's change of database.
    public var databaseChanges: DatabaseChangePolicy
    /// The rule for credentials without a valid binding.
    public var credentialsBinding: CredentialsBindingPolicy
    /// Requests to Notion for one token.
    public var notionRate: Rate
    /// Logins and fetches for one Keep account.
    public var keepRate: Rate
    /// Failed calls in a row after which a peer is out of order; 0: never.
    public var breakerFailures: Int
    /// Time until the first probe of it.
    public var breakerCooldown: Duration
    /// Largest time until a probe.
    public var breakerCooldownCap: Duration

    public init(reading reader: inout SettingsReader) {
        noteConcurrency = reader.value(SettingsKeys.noteConcurrency)
        workerNoteConcurrency = reader.value(SettingsKeys.workerNoteConcurrency)
        let limit = reader.value(SettingsKeys.noteLimit)
        noteLimit = limit?.count
        if let limit, !limit.isNumber {
            reader.warn(
                "\(SettingsKeys.noteLimit.name) is \"\(limit.text)\", not a whole number: it is ignored, and all notes are fetched"
            )
        }
        noteAttempts = reader.value(SettingsKeys.noteAttempts)
        noteBackoffBase = reader.value(SettingsKeys.noteBackoffBase)
        noteBackoffCap = reader.value(SettingsKeys.noteBackoffCap)
        cursorLookback = reader.value(SettingsKeys.cursorLookback)
        unknownCreates = reader.value(SettingsKeys.unknownCreates)
        unknownLimit = reader.value(SettingsKeys.unknownLimit)
        unknownCooldown = reader.value(SettingsKeys.unknownCooldown)
        databaseChanges = reader.value(SettingsKeys.databaseChanges)
        credentialsBinding = reader.value(SettingsKeys.credentialsBinding)
        trashedPages = reader.value(SettingsKeys.trashedPages)
        notionRate = reader.value(SettingsKeys.notionRate)
        keepRate = reader.value(SettingsKeys.keepRate)
        breakerFailures = reader.value(SettingsKeys.breakerFailures)
        breakerCooldown = reader.value(SettingsKeys.breakerCooldown)
        breakerCooldownCap = reader.value(SettingsKeys.breakerCooldownCap)
        reader.check(
            SettingsKeys.breakerCooldown,
            breakerCooldown,
            notAbove: SettingsKeys.breakerCooldownCap,
            breakerCooldownCap
        )
        reader.check(
            SettingsKeys.noteBackoffBase,
            noteBackoffBase,
            notAbove: SettingsKeys.noteBackoffCap,
            noteBackoffCap
        )
    }
}

/// The settings that decide what becomes of a write whose outcome is unknown.
public struct UnknownWriteSettings: SettingsGroup {
    public var policy: UnknownCreatePolicy
    /// Unknown outcomes of a note after which it is held.
    public var limit: Int

    public init(reading reader: inout SettingsReader) {
        policy = reader.value(SettingsKeys.unknownCreates)
        limit = reader.value(SettingsKeys.unknownLimit)
    }
}

/// The settings of the credentials' encryption.
public struct EncryptionSettings: SettingsGroup {
    /// The key or keys as set; nil if none is.
    public var key: Sensitive<String>?
    /// The file that holds it in its place; nil if none is named.
    public var keyFile: String?
    /// Whether there is a key that need not be made.
    public var isKeyGiven: Bool { key != nil || keyFile != nil }
    /// The folder of a generated key; nil if neither it nor a home folder is known.
    public var stateFolder: String?

    public init(reading reader: inout SettingsReader) {
        key = reader.value(SettingsKeys.encryptionKey)
        keyFile = reader.value(SettingsKeys.encryptionKeyFile)
        if key != nil, keyFile != nil {
            reader.reject(
                SettingsKeys.encryptionKeyFile,
                expected: "it or \(SettingsKeys.encryptionKey.name) set, not both"
            )
        }
        let set = reader.value(SettingsKeys.stateFolder)
        let systemd = reader.value(SettingsKeys.stateDirectory)
        let stateHome = reader.value(SettingsKeys.stateHome)
        let home = reader.value(SettingsKeys.home)
        stateFolder =
            set
            // systemd separates several folders by colons.
            ?? systemd.flatMap { $0.split(separator: ":").first.map(String.init) }
            // The XDG specification: a relative path is to be ignored.
            ?? stateHome.flatMap { $0.hasPrefix("/") ? "\($0)/sync-service" : nil }
            ?? home.map { "\($0)/.local/state/sync-service" }
    }
}

/// The settings of logs.
public struct LogSettings: SettingsGroup {
    /// The form of log lines.
    public var format: LogFormat
    /// The least severe level that is logged.
    public var level: Logger.Level

    public init(reading reader: inout SettingsReader) {
        format = reader.value(SettingsKeys.logFormat)
        level = reader.value(SettingsKeys.logLevel)
    }
}

/// The settings of the HTTP programs, `sync-sidecar` and `sync-intake`.
public struct HTTPServerSettings: SettingsGroup {
    /// The address to listen on.
    public var host: String
    /// The port to listen on.
    public var port: Int
    /// Names by which people call for the page and the lists, beside loopback names and the address itself; `*` for
    /// all.
    public var hosts: [String]
    /// What a visitor of the page and the lists must show; nil for nothing.
    public var token: Sensitive<String>?

    public init(reading reader: inout SettingsReader) {
        host = reader.value(SettingsKeys.serviceHost)
        port = reader.value(SettingsKeys.servicePort)
        hosts = reader.value(SettingsKeys.serviceHosts)
        token = reader.value(SettingsKeys.serviceToken)
    }
}

/// The settings of `sync-intake` alone.
public struct IntakeSettings: SettingsGroup {
    /// What a caller of the POST routes must show; nil for nothing.
    public var token: Sensitive<String>?

    public init(reading reader: inout SettingsReader) {
        token = reader.value(SettingsKeys.intakeToken)
    }
}
