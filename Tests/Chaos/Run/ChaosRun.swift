import ChaosChecker
import Fernet
import Foundation
import Postgres
import SyncSchema
import Synchronization
import TestSupport

/// One run: an installation, attacked by the plan of a seed, then left in peace, then written down.
final class ChaosRun: Sendable {
    let plan: Plan
    let secrets: Secrets
    let cluster: PrivateCluster
    let peers: Peers
    let ledger: Ledger
    let notebook: Notebook
    let fleet: Fleet
    let sends = SendLog()
    /// Attacks that were made, by kind; one that found nothing to be done to does not count.
    private let counts = Mutex<[String: Int]>([:])
    private let journal = Mutex<[String]>([])
    private let pageEvents = Mutex<[History.PageEvent]>([])
    private let finalJobs = Mutex<[String: String]>([:])
    private let disturbances = Mutex<[History.Disturbance]>([])
    /// Users who have been given another database.
    private let moved = Mutex<Set<String>>([])
    let restarts = RestartGate()

    private static let password = "DATABASE-password-kept-secret"

    /// What is attacked.
    struct Program: Sendable {
        /// nil for the `sync-worker` that is built with this.
        var path: String?
        /// Goes over the plan's settings.
        var environment: [String: String] = [:]
    }

    private init(plan: Plan, cluster: PrivateCluster, program: Program) async throws {
        self.plan = plan
        self.cluster = cluster
        secrets = Secrets(seed: plan.seed, key: try FernetKey.generate().base64, password: Self.password)
        let database = try await cluster.createDatabase(migrations: SyncSchema.migrations)
        ledger = Ledger(database: database)
        peers = try await Peers.start(plan)
        notebook = Notebook(peers: peers, secrets: secrets)
        let secrets = secrets
        let users = Self.users(plan)
        fleet = Fleet(
            size: plan.workers,
            surroundings: Worker.Surroundings(
                executable: program.path,
                databasePort: cluster.port,
                databaseURL: { port, worker in
                    "postgresql://postgres:\(Self.password)@127.0.0.1:\(port)/\(database.name)?application_name=\(worker)"
                },
                peers: peers,
                key: secrets.key,
                settings: plan.settings.merging(program.environment) { $1 },
                tokens: Dictionary(uniqueKeysWithValues: users.map { ($0, secrets.notionToken(of: $0)) }),
                sends: sends
            )
        )
    }

    /// The server of runs that follow each other; only one of them at a time may use it.
    static func startCluster() async throws -> PrivateCluster {
        try await PrivateCluster.start(PrivateCluster.Options(password: password))
    }

    /// Makes one run from beginning to end.
    ///
    /// - Throws: what kept it from being made. What the worker did wrong is in the outcome.
    static func perform(seed: UInt64, cluster: PrivateCluster, program: Program = Program()) async throws -> Outcome {
        let began = ContinuousClock.now
        let serverLog = cluster.serverLog.utf8.count
        let run = try await ChaosRun(plan: Plan(seed: seed), cluster: cluster, program: program)
        do {
            try await run.prepare()
            await run.attack()
            run.note("calm")
            try await run.calm()
            run.note("stop")
            await run.fleet.stopAll()
            let history = try await run.history(serverLogFrom: serverLog)
            try await run.takeDown()
            return Outcome(
                seed: seed,
                attacks: run.counts.withLock { $0 },
                history: history,
                verdict: Checker(history).verdict(),
                logs: await run.logs(),
                journal: run.journal.withLock { $0 },
                duration: .now - began
            )
        } catch {
            try await run.takeDown()
            throw error
        }
    }

    var users: [String] { Self.users(plan) }

    private static func users(_ plan: Plan) -> [String] { (0..<plan.users).map { "u\($0)" } }

    /// The database that the user has now.
    func databaseID(of user: String) -> String {
        moved.withLock { $0.contains(user) } ? "db-\(user)-moved" : Self.firstDatabaseID(of: user)
    }

    private static func firstDatabaseID(of user: String) -> String { "db-\(user)" }

    /// - Returns: false if the user has been moved already.
    func beginMoving(_ user: String) -> Bool { moved.withLock { $0.insert(user).inserted } }

    func disturb(_ worker: String?, from: History.Instant, until: History.Instant) {
        disturbances.withLock { $0.append(History.Disturbance(worker: worker, from: from, until: until)) }
    }

    // MARK: Before

    private func prepare() async throws {
        try await ledger.begin()
        for user in users { try await ledger.addUser(user, database: databaseID(of: user), secrets: secrets) }
        for number in 0..<plan.notes { try await notebook.create(isUntitled: number % 5 == 4) }
        if plan.hasRefusedNote { try await notebook.create(isRefused: true) }
        try await peers.setFaults(lastingRules)
        try await fleet.startAll()
    }

    /// What the writer does for as long as the run lasts.
    var lastingRules: [String] {
        guard plan.hasRefusedNote else { return [] }
        return [
            """
            {"peer":"writer","match":{"title_contains":"\(Secrets.refused)"},
             "fault":{"kind":"message","message":"body failed validation: refused for good"}}
            """
        ]
    }

    // MARK: After

    /// Ends all faults, lets the workers come to rest, and has every user synchronized once more.
    private func calm() async throws {
        try await peers.setFaults(lastingRules)
        try await peers.setLatency(milliseconds: 5)
        // After a restart it is a while until the pool tries again.
        try await eventually(within: .seconds(20), "the database") {
            do {
                return try await ledger.openJobs() >= 0
            } catch is PostgresError {
                return false
            }
        }
        // The database may have been away when they were moved.
        for user in moved.withLock({ $0 }) { try await ledger.setDatabase(databaseID(of: user), of: user) }
        for user in users {
            for database in Set([Self.firstDatabaseID(of: user), databaseID(of: user)]) {
                try await peers.changeDatabase(database, "share")
            }
            try await peers.changeToken(secrets.notionToken(of: user), "restore")
        }
        try await fleet.heal()
        await rest(within: .seconds(40))
        // What was abandoned and is still on its way comes before the last sync or, at the worst, is found out by the checker.
        await reach(within: .seconds(8)) { try await self.peers.calls().allSatisfy { $0.endedAt != nil } }
        for _ in 0..<Self.finalSyncs {
            try await ledger.retryUnknown()
            for user in users {
                let id = UUID()
                finalJobs.withLock { $0[user] = id.uuidString.lowercased() }
                try await ledger.insertJob(id, user: user, full: false)
            }
            await rest(within: .seconds(40))
            // A write can become unknown in the last job too, on a machine that is busy. Where such are held, it waits for an
            // operator's word, and for one more sync.
            if try await !ledger.hasUnknownWrites() { break }
        }
    }

    /// How often an operator settles what is held before the run is over.
    private static let finalSyncs = 3

    private func rest(within limit: Duration) async {
        await reach(within: limit) {
            try await self.ledger.hurry()
            return try await self.ledger.openJobs() == 0
        }
    }

    /// Waits for a condition. Where it is not reached, or can't be asked for, the checker finds what is wrong.
    private func reach(within limit: Duration, _ condition: @Sendable () async throws -> Bool) async {
        try? await eventually(within: limit, "the end of the run") {
            do { return try await condition() } catch is PostgresError { return false }
        }
    }

    private func takeDown() async throws {
        await fleet.unplug()
        await peers.program.kill()
        await ledger.database.pool.shutdown()
        try await ledger.database.drop()
    }

    private func history(serverLogFrom start: Int) async throws -> History {
        var history = History(
            arrangement: History.Arrangement(
                seed: plan.seed,
                honoursKeys: plan.honoursKeys,
                recreatesTrashed: plan.recreatesTrashed,
                databases: Dictionary(uniqueKeysWithValues: users.map { ($0, databaseID(of: $0)) }),
                operators: [Ledger.applicationName],
                refusedTitle: Secrets.refused,
                secrets: secrets.all
            )
        )
        for user in moved.withLock({ $0 }) {
            history.arrangement.formerDatabases[Self.firstDatabaseID(of: user)] = user
        }
        history.disturbances = disturbances.withLock { $0 }
        history.versions = await notebook.versions
        history.trashedNotes = await notebook.trashed
        history.pageEvents = pageEvents.withLock { $0 }
        history.calls = try await peers.calls()
        history.sends = sends.all
        history.continuations = await fleet.continuations
        history.finalJobs = finalJobs.withLock { $0 }
        history.pages = try await peers.pages()
        for worker in await fleet.all {
            if let exit = worker.exit { history.exits.append(exit) }
            let lines = worker.run.standardOutput + worker.run.standardError
            history.texts += lines.map { History.Text(place: "the log of worker \(worker.name)", text: $0) }
        }
        let serverLog = String(decoding: cluster.serverLog.utf8.dropFirst(start), as: UTF8.self)
        history.texts += serverLog.split(separator: "\n").map {
            History.Text(place: "PostgreSQL's log", text: String($0))
        }
        try await ledger.read(into: &history)
        return history
    }

    private func logs() async -> [String: String] {
        Dictionary(uniqueKeysWithValues: await fleet.all.map { ($0.name, $0.run.transcript) })
    }

    func count(_ attack: Attack) {
        counts.withLock { $0[attack.kind, default: 0] += 1 }
    }

    /// Notes what is being done, for whoever looks at a failed run.
    func note(_ what: String) {
        journal.withLock { $0.append("\(Date().ISO8601Format(.init(includingFractionalSeconds: true))) \(what)") }
    }

    func remember(_ event: History.PageEvent) {
        pageEvents.withLock { $0.append(event) }
    }
}

/// Lets only one restart of the server happen at a time.
actor RestartGate {
    private var isBusy = false

    /// - Returns: whether it was this one's turn.
    func enter() -> Bool {
        defer { isBusy = true }
        return !isBusy
    }

    func leave() { isBusy = false }
}
