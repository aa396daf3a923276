import FlowControl
import JobQueue
import NoteSync
import Settings
import Telemetry

// From what the environment says to what each part takes.

extension JobWorkerConfiguration {
    init(_ settings: WorkerSettings) {
        self.init(
            name: settings.name,
            version: ServiceVersion.current,
            slots: settings.concurrency,
            lease: settings.lease,
            pollInterval: settings.pollInterval,
            shutdownGrace: settings.shutdownGrace,
            retention: settings.jobRetention,
            keepsTakenOverJobs: settings.keepsTakenOverJobs,
            backoff: Backoff(base: settings.jobBackoffBase, cap: settings.jobBackoffCap)
        )
    }
}

extension SyncConfiguration {
    init(_ settings: ServiceSettings) {
        self.init()
        worker = settings.worker.name
        noteConcurrency = settings.sync.noteConcurrency
        workerNoteConcurrency = settings.sync.workerNoteConcurrency
        noteAttempts = settings.sync.noteAttempts
        noteBackoffBase = settings.sync.noteBackoffBase
        noteBackoffCap = settings.sync.noteBackoffCap
        cursorLookback = settings.sync.cursorLookback
        noteLimit = settings.sync.noteLimit
        unknownCreates = settings.sync.unknownCreates == .hold ? .hold : .retry
        unknownLimit = settings.sync.unknownLimit
        unknownCooldown = settings.sync.unknownCooldown
        trashedPages = settings.sync.trashedPages == .recreate ? .recreate : .leave
        databaseChanges = settings.sync.databaseChanges == .recreate ? .recreate : .stop
        requiresBoundCredentials = settings.sync.credentialsBinding == .require
        maximumNoteBytes = settings.peers.maximumNoteBytes
        flow = FlowConfiguration(settings)
    }
}

extension FlowConfiguration {
    /// Logins and fetches that may come at once: those of a few jobs.
    private static let keepBurst = 10

    init(_ settings: ServiceSettings) {
        self.init()
        worker = settings.worker.name
        let notion = settings.sync.notionRate.perSecond
        notionPace = PaceLimit(permitsPerSecond: notion, burst: max(Int(notion.rounded()), 2))
        keepPace = PaceLimit(permitsPerSecond: settings.sync.keepRate.perSecond, burst: Self.keepBurst)
        breaker.failures = settings.sync.breakerFailures
        breaker.cooldown = settings.sync.breakerCooldown
        breaker.longestCooldown = settings.sync.breakerCooldownCap
    }
}

extension KeepExtractorConfiguration {
    init(_ settings: PeerSettings) {
        self.init(
            url: settings.keepExtractorURL,
            modifiedSince: settings.modifiedSinceFormat == .offset ? .offset : .naive,
            authenticationTimeout: settings.keepAuthTimeout,
            notesTimeout: settings.keepExtractorTimeout,
            maximumBytes: Int64(settings.maximumFetchBytes),
            maximumNotes: settings.maximumFetchNotes,
            maximumWorkerBytes: Int64(settings.maximumWorkerFetchBytes)
        )
    }
}

extension NotionWriterConfiguration {
    init(_ settings: PeerSettings) {
        self.init(url: settings.notionWriterURL, timeout: settings.notionWriterTimeout)
    }
}
