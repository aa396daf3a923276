import CurlHTTP
import Fernet
import FlowControl
import Foundation
import Logging
import Postgres
import Support
import TestSupport
import Testing

@testable import JobQueue
@testable import NoteSync
@testable import PeerSimulator

/// Statements are what a job costs the server. Their number repeats exactly, so a change that adds one is seen here.
@Suite(.timeLimit(.minutes(5)))
struct StatementCountTests {
    /// Statements of a claim and of a flush of results, whatever the number of jobs.
    private static let perClaim = 1
    private static let perFinish = 2
    /// Statements of a flush that claims as well.
    private static let perFinishAndClaim = 3
    /// Statements of a new note: its state, log and progress, and the intent of the next.
    private static let perNote = 5

    private static let keys: FernetKeyRing = {
        do { return FernetKeyRing(try FernetKey.generate()) } catch { preconditionFailure("\(error)") }
    }()

    @Test func claimAndFinishCostTheSameForOneJobAndForMany() async throws {
        let log = try await StatementLog.start()
        let pool = PostgresPool(configuration: log.database.configuration, size: 1, logger: Logger(label: "test"))
        let claimer = Claimer(
            pool: pool,
            configuration: JobWorkerConfiguration(name: "w1", version: "test"),
            logger: Logger(label: "test")
        )
        // The session's settings are made once.
        for _ in 1...2 { _ = try await claimer.claim(1) }
        for (round, jobs) in [4, 1, 20].enumerated() {
            for number in 0..<jobs {
                _ = try await JobClient(pool: log.database.pool).enqueue(
                    user: UserID("\(round)-\(number)"),
                    fullSync: false
                )
            }
            var claimed: [ClaimedJob] = []
            let claim = try await log.statements { claimed = try await claimer.claim(jobs).jobs.map(\.job) }
            #expect(claimed.count == jobs)
            let finishes = claimed.map { JobFinish(.completed, of: $0, backoff: Backoff(base: .zero, cap: .zero)) }
                .sorted { $0.id < $1.id }
            let half = finishes.count / 2
            let finish = try await log.statements { _ = try await pool.finish(Array(finishes[..<half])) }
            let order = try await claimer.order(jobs)
            let both = try await log.statements {
                _ = try await pool.finish(Array(finishes[half...]), claiming: order.query)
            }
            #expect(claim.count == Self.perClaim, "\(claim)")
            #expect(finish.count == Self.perFinish, "\(finish)")
            #expect(both.count == Self.perFinishAndClaim, "\(both)")
        }
        await pool.shutdown()
        try await log.stop()
    }

    @Test func aNoteCostsTheSameHoweverManyThereAre() async throws {
        let log = try await StatementLog.start()
        let pool = PostgresPool(configuration: log.database.configuration, size: 1, logger: Logger(label: "test"))
        let few = try await statements(of: 8, log, pool)
        let many = try await statements(of: 40, log, pool)
        #expect(many - few == (40 - 8) * Self.perNote, "\(few) statements for 8 notes, \(many) for 40")
        await pool.shutdown()
        try await log.stop()
    }

    /// Calls for which permits are taken at once.
    private static let callsPerTake = 5

    @Test func permitsAreTakenForSeveralNotesAtOnce() async throws {
        let log = try await StatementLog.start()
        let pool = PostgresPool(configuration: log.database.configuration, size: 1, logger: Logger(label: "test"))
        var flow = FlowConfiguration()
        flow.notionPace = PaceLimit(permitsPerSecond: 1000, burst: 3)
        let statements = try await sync(UserID("paced"), notes: 40, log, pool, flow)
        // Those for login and fetch, and those that give back what is left.
        let takes = statements.count { $0.contains("sync_gates_take") }
        #expect(takes <= 40 / Self.callsPerTake + 2, "\(takes) statements")
        await pool.shutdown()
        try await log.stop()
    }

    /// Statements of the first sync of a user with so many notes, one at a time. The least of several runs: in a slow
    /// one a line of the job's log may not wait for the next note.
    private func statements(of notes: Int, _ log: StatementLog, _ pool: PostgresPool) async throws -> Int {
        var counts: [Int] = []
        for run in 1...5 {
            counts.append(try await sync(UserID("user-\(notes)-\(run)"), notes: notes, log, pool, Self.unpaced).count)
        }
        return counts.min() ?? 0
    }

    /// See `unpacedSettings`; the gates are asked once a job, however long it takes.
    private static var unpaced: FlowConfiguration {
        var flow = FlowConfiguration.unpaced
        flow.refreshInterval = .seconds(3600)
        return flow
    }

    private func sync(
        _ user: UserID,
        notes: Int,
        _ log: StatementLog,
        _ pool: PostgresPool,
        _ flow: FlowConfiguration
    ) async throws -> [String] {
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let application = try PeerSimulatorApplication(
            configuration: SimulatorConfiguration(
                keepPort: 0,
                writerPort: 0,
                notes: .synthetic(count: notes, noteBytes: 80),
                settings: PeerSettings()
            ),
            logger: quiet
        )
        let peers = Task { try await application.run() }
        let ports = try await application.ports()
        let http = HTTPClient(configuration: HTTPClientConfiguration(usesProxyFromEnvironment: false))
        let store = CredentialStore(pool: pool, keys: Self.keys)
        try await store.store(Credentials(googleToken: "g", notionToken: "n", databaseID: "d"), of: user)
        let orchestrator = Self.orchestrator(pool, store, http, ports, flow)
        _ = try await JobClient(pool: pool).enqueue(user: user, fullSync: false)
        let configuration = JobWorkerConfiguration(name: "w1", version: "test")
        let job = try await Claimer(pool: pool, configuration: configuration, logger: quiet).claim(1).jobs.first
        let entry = try #require(job)
        let context = JobContext(job: entry.job, lease: entry.lease, stop: StopSignal(), logger: quiet)
        let statements = try await log.statements {
            #expect(await orchestrator.run(context) == .completed)
        }
        http.shutdown()
        peers.cancel()
        _ = await peers.result
        return statements
    }

    private static func orchestrator(
        _ pool: PostgresPool,
        _ store: CredentialStore,
        _ http: HTTPClient,
        _ ports: PeerPorts,
        _ flow: FlowConfiguration
    ) -> SyncOrchestrator {
        var configuration = SyncConfiguration()
        configuration.noteConcurrency = 1
        configuration.flow = flow
        return SyncOrchestrator(
            pool: pool,
            credentials: store,
            extractor: KeepExtractorClient(
                http: http,
                configuration: KeepExtractorConfiguration(url: "http://127.0.0.1:\(ports.keep)")
            ),
            writer: NotionWriterClient(
                http: http,
                configuration: NotionWriterConfiguration(url: "http://127.0.0.1:\(ports.writer)")
            ),
            configuration: configuration
        )
    }
}
