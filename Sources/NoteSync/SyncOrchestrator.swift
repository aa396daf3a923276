internal import CurlHTTP
public import FlowControl
internal import Foundation
public import JobQueue
public import Logging
public import Postgres
import Support

/// Synchronizes one user, as the job says: credentials, cursor, login, fetch, each note, state and progress.
public struct SyncOrchestrator: Sendable {
    let pool: PostgresPool
    private let credentialStore: CredentialStore
    private let keys: InstallationKeys
    private let states: SyncStateStore
    let extractor: KeepExtractorClient
    let writer: NotionWriterClient
    let configuration: SyncConfiguration
    private let workerSlots: ConcurrencyLimiter
    private let memory = NoteMemory()
    /// The gates, as the jobs of this worker share them.
    public let flow: FlowControl
    /// Says whether a peer is out of order; to be run beside the jobs.
    public let watch: PeerWatch
    private let onKeysLost: @Sendable () -> Void
    private let machineFaults = RecurringWarning(
        "Jobs are postponed because of a fault of this machine.",
        interval: .seconds(600)
    )

    /// - Parameters:
    ///   - claims: held while this worker alone does not reach a peer.
    ///   - onKeysLost: called when the keys turn out to open nothing of what is stored, as after a
    ///     re-encryption with keys that this worker does not have. Its jobs are handed back, and it claims no more.
    public init(
        pool: PostgresPool,
        credentials: CredentialStore,
        extractor: KeepExtractorClient,
        writer: NotionWriterClient,
        configuration: SyncConfiguration,
        claims: ClaimHold = ClaimHold(),
        logger: Logger = Logger(label: "sync"),
        onKeysLost: @escaping @Sendable () -> Void = {}
    ) {
        self.pool = pool
        credentialStore = credentials
        keys = InstallationKeys(pool: pool, secrets: credentials.secrets)
        states = SyncStateStore(pool: pool, recordingGrace: configuration.recordingGrace)
        self.extractor = extractor
        self.writer = writer
        self.configuration = configuration
        workerSlots = ConcurrencyLimiter(limit: configuration.workerNoteConcurrency)
        flow = FlowControl(pool: pool, configuration: configuration.flow)
        watch = PeerWatch(flow: flow, claims: claims, logger: logger) { peer in
            switch peer {
            case .keepExtractor: await extractor.condition()
            case .notionWriter: await writer.condition()
            }
        }
        self.onKeysLost = onKeysLost
    }

    /// Runs a job to its outcome; throws nothing.
    public func run(_ context: JobContext) async -> JobOutcome {
        let journal = NoteJournal(pool: pool, context: context, maximumLogLines: configuration.maximumLogLines)
        var result = JobOutcome.completed
        do {
            try await synchronize(context, journal)
        } catch let error as NoteSyncError where error.isOfKeys {
            result = await outcome(ofKeys: error, context)
        } catch {
            result = outcome(error, context)
        }
        // It has not begun: an outage is as many claims as it has looks at the peer.
        if result.gateWait != nil { await journal.dropPreface() }
        await journal.close()
        await tellOfGate(result, context)
        return result
    }

    /// Says in the job's log what it waits for: once, and how often it has found the gate closed since.
    private func tellOfGate(_ outcome: JobOutcome, _ context: JobContext) async {
        guard let wait = outcome.gateWait else { return }
        do {
            _ = try await pool.execute(.logWait(for: wait.gate, reason: wait.reason, job: context.job))
        } catch {
            context.logger.info("A line of the job's log is lost.", metadata: ["error": "\(error)"])
        }
    }

    private func synchronize(_ context: JobContext, _ journal: NoteJournal) async throws {
        let job = context.job
        await journal.open(LogLine(level: .info, message: Self.opening(job)))
        let credentials = try await context.persistently {
            try await credentialStore.load(job.userID, requiresBinding: configuration.requiresBoundCredentials)
        }
        if credentials.binding.isChangedOutside { try await tellOfChangedCredentials(context, journal) }
        let hasher = try await context.persistently { try await keys.contentHasher() }
        var position = try await context.persistently { try await states.position(of: job) }
        let elsewhere = try await compareDatabases(&position, credentials, context, journal)
        if position.hasOpenIntents {
            let abandoned = try await context.persistently { try await states.markAbandoned(of: job.userID) }
            AbandonedWrite.tell(abandoned, context.logger)
        }
        let run = SyncRun(
            context: context,
            configuration: configuration,
            credentials: credentials,
            hasher: hasher,
            writer: writer,
            gates: JobGates(user: job.userID, credentials: credentials, hasher: hasher),
            flow: flow,
            watch: watch,
            journal: journal,
            workerSlots: workerSlots,
            memory: memory,
            trace: TraceContext(continuing: job.traceparent),
            isWriterInDoubt: position.isWriterInDoubt
        )
        let outcome: Result<Void, any Error>
        do {
            try await withTaskCancellationHandler {
                try await synchronize(run, position: position, pagesElsewhere: elsewhere)
            } onCancel: {
                run.leavePlaces()
            }
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await run.gate.close(context)
        do {
            try outcome.get()
        } catch let error as NoteSyncError {
            await spareUnknownWrites(after: error, context)
            throw await afterReplacement(of: credentials, error, context)
        }
    }

    /// What was wrong with a user's credentials, or with the gate of their token, says nothing where the user has got
    /// others meanwhile: the job begins anew with them.
    private func afterReplacement(
        of credentials: Credentials,
        _ error: NoteSyncError,
        _ context: JobContext
    ) async -> NoteSyncError {
        guard error.isOfCredentials else { return error }
        do {
            let present = try await credentialStore.load(
                context.job.userID,
                requiresBinding: configuration.requiresBoundCredentials
            )
            guard present.differs(from: credentials) else { return error }
        } catch is NoteSyncError {
            // The next run says what is wrong with the new ones.
        } catch let failure {
            context.logger.debug(
                "Whether the credentials were replaced is not known.",
                metadata: ["error": "\(failure)"]
            )
            return error
        }
        return NoteSyncError(error.code, .snooze(.zero), "The credentials were replaced while the job ran.")
    }

    /// - Parameter pagesElsewhere: databases besides that of the credentials in which pages lie.
    private func synchronize(_ run: SyncRun, position: SyncPosition, pagesElsewhere: [NotionDatabaseID]) async throws {
        let isFullSync = run.context.job.isFullSync
        let since = position.modifiedSince(isFullSync: isFullSync, lookback: configuration.cursorLookback)
        let fetches = run.gates.fetches(flow, watch) { try await condition(of: $0, run) }
        let list: NoteListFile
        do {
            list = try await fetch(run, since: since, through: fetches)
        } catch {
            await fetches.close(run.context)
            throw error
        }
        await run.journal.begin(LogLine(level: .info, message: Self.fetched(list.count, since: since)))
        await run.journal.note(JournalEntry(total: list.count))
        // A page of which no database is on record may lie elsewhere as well, and is left alone with the others.
        let placed = states.placingOtherPages(in: pagesElsewhere.first)
        let notes = NoteListSync(run: run, list: list, states: placed, position: position)
        try await notes.write(wasLimited: configuration.noteLimit != nil)
    }

    /// Tells people that something other than this service's programs has changed the credentials.
    private func tellOfChangedCredentials(_ context: JobContext, _ journal: NoteJournal) async throws {
        let job = context.job
        let text =
            "The credentials of user \(job.userID) were changed by something other than syncctl since they were bound to the user. Make "
            + "sure whose they are, then run: \(job.userID.shellCommand("syncctl credentials bind"))"
        context.logger.warning("\(text)")
        await journal.note(.log(.warning, text))
        _ = try await context.persistently {
            try await pool.execute(.alertOfChangedCredentials(text, of: job))
        }
    }

    /// A user's credentials that can't be opened are that user's fault only if the keys open something.
    private func outcome(ofKeys error: NoteSyncError, _ context: JobContext) async -> JobOutcome {
        do {
            guard try await context.persistently({ try await credentialStore.areKeysLost() }) else {
                return outcome(error, context)
            }
        } catch {
            return outcome(error, context)
        }
        onKeysLost()
        context.stop.request()
        return .released(.keysLost)
    }

    private func outcome(_ error: any Error, _ context: JobContext) -> JobOutcome {
        switch error {
        case let error as NoteSyncError:
            switch error.disposition {
            case .permanent: .failed(error: error.message)
            case .transient(let notBefore): .retry(error: error.message, notBefore: notBefore)
            case .snooze(let duration):
                .snoozed(for: duration, reason: reason(for: error, context), gate: error.gate?.rawValue)
            case .outage(let duration):
                .suspended(for: duration, reason: error.message, gate: error.gate?.rawValue)
            }
        // The lease is lost or the worker stops; in the first case nobody reads what is returned.
        case is CancellationError, is JobQueueError: .released(context.stop.isRequested ? .stopping : .leaseExpired)
        default: .retry(error: "The database refused: \(error)")
        }
    }

    /// What is wrong with a machine says whose it is, and is said to whoever looks after that.
    private func reason(for error: NoteSyncError, _ context: JobContext) -> String {
        guard error.code == .localFault else { return error.message }
        machineFaults.log(context.logger, ["reason": "\(error.message)"])
        return "Worker \(configuration.worker): \(error.message)"
    }

    private static func opening(_ job: ClaimedJob) -> String {
        let kind = job.isFullSync ? "Full" : "Incremental"
        return job.attempt == 1 ? "\(kind) sync started." : "\(kind) sync goes on (attempt \(job.attempt))."
    }

    private static func fetched(_ count: Int, since: KeepTimestamp?) -> String {
        "Fetched \(Count.of(count, "note"))"
            + (since.map { " modified since \($0.naiveText) UTC." } ?? ".")
    }
}

extension JobOutcome {
    /// The gate that the job waits for, and why it is closed; nil: it waits for none.
    fileprivate var gateWait: (gate: String, reason: String)? {
        switch self {
        case .snoozed(_, let reason, let gate?), .suspended(_, let reason, let gate?): (gate, reason)
        default: nil
        }
    }
}

extension JobContext {
    /// Reads from the database, and again while it is away, for as long as the lease is held.
    func persistently<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let backoff = Backoff(base: .milliseconds(100), cap: .seconds(1))
        let warning = RecurringWarning("The database can't be asked; trying again.")
        var failures = 0
        var locks = LockPatience()
        while true {
            try check()
            do {
                return try await body()
            } catch let error as PostgresError where error.isRetryable || error.isConnectionFailure {
                warning.log(logger, ["error": "\(error)"])
                if locks.isOver(after: error) { lease.letGoHeldUp() }
                try await pause(for: backoff.wait(retry: failures, atLeast: .milliseconds(50)))
                failures += 1
            }
        }
    }
}
