import ChaosChecker
import Fernet
import Foundation
import Postgres
import Support
import SyncSchema
import TestSupport

/// One run: an installation, attacked by the plan of a seed, then left in peace, then written down.
final class ChaosRun: Sendable {
    let plan: Plan
    let secrets: Secrets
    let servers: Servers
    private let database: TestDatabase
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
    private let failure = Mutex<(any Error)?>(nil)
    private let openTransactions = Mutex<[History.OpenTransaction]>([])
    private let lostServers = Mutex<[LostServer]>([])
    /// Jobs whose INSERT was answered.
    private let acknowledgedJobs = Mutex<Set<String>>([])

    /// What is attacked.
    struct Program: Sendable {
        /// nil for the `sync-worker` that is built with this.
        var path: String?
        /// Goes over the plan's settings.
        var environment: [String: String] = [:]
    }

    private init(plan: Plan, servers: Servers, program: Program) async throws {
        self.plan = plan
        self.servers = servers
        secrets = Secrets(seed: plan.seed, key: try FernetKey.generate().base64, password: Servers.password)
        database = try await servers.createDatabase()
        let name = database.name
        ledger = Ledger(servers: servers, database: name)
        peers = try await Peers.start(plan)
        notebook = Notebook(peers: peers, secrets: secrets)
        let secrets = secrets
        let users = Self.users(plan)
        fleet = Fleet(
            size: plan.workers,
            surroundings: Worker.Surroundings(
                executable: program.path,
                databasePorts: servers.all.map(\.port),
                databaseURL: { ports, worker in
                    Servers.connectionString(database: name, ports: ports, application: worker)
                },
                peers: peers,
                key: secrets.key,
                settings: plan.settings.merging(program.environment) { $1 },
                tokens: Dictionary(uniqueKeysWithValues: users.map { ($0, secrets.notionToken(of: $0)) }),
                sends: sends
            )
        )
    }

    /// Makes one run from beginning to end.
    ///
    /// - Parameter servers: nil for servers of its own, of which one follows the other.
    /// - Throws: what kept it from being made. What the worker did wrong is in the outcome.
    static func perform(_ plan: Plan, servers given: Servers?, program: Program = Program()) async throws -> Outcome {
        let began = ContinuousClock.now
        let servers =
            if let given { given } else { try await Servers.pair(isSynchronous: plan.isSynchronous) }
        let serverLogs = servers.all.map(\.serverLog.utf8.count)
        let run = try await ChaosRun(plan: plan, servers: servers, program: program)
        do {
            try await run.prepare()
            await run.attack()
            if let failure = run.failure.withLock({ $0 }) { throw failure }
            run.note("calm")
            try await run.calm()
            run.note("stop")
            await run.fleet.stopAll()
            let history = try await run.history(serverLogsFrom: serverLogs)
            try await run.takeDown(removesServers: given == nil)
            return Outcome(
                seed: plan.seed,
                attacks: run.counts.withLock { $0 },
                history: history,
                verdict: Checker(history).verdict(),
                logs: await run.logs(),
                journal: run.journal.withLock { $0 },
                duration: .now - began
            )
        } catch {
            try await run.takeDown(removesServers: given == nil)
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

    /// - Parameter sparesNew: whether new connections are not affected.
    func disturb(_ worker: String?, from: History.Instant, until: History.Instant, sparesNew: Bool = false) {
        disturbances.withLock {
            $0.append(History.Disturbance(worker: worker, from: from, until: until, sparesNew: sparesNew))
        }
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
        try await ledger.settle()
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
        // What was abandoned and is still on its way comes before the last sync or, at the worst, is found out by the
        // checker.
        await reach(within: .seconds(8)) { try await self.peers.calls().allSatisfy { $0.endedAt != nil } }
        for _ in 0..<Self.finalSyncs {
            try await ledger.retryUnknown()
            for user in users {
                let id = UUID()
                finalJobs.withLock { $0[user] = id.uuidString.lowercased() }
                try await ledger.insertJob(id, user: user, full: false)
                acknowledge(id)
            }
            await rest(within: .seconds(40))
            // A write can become unknown in the last job too, on a machine that is busy. Where such are held, it waits
            // for an operator's word, and for one more sync.
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

    private func takeDown(removesServers: Bool) async throws {
        await fleet.unplug()
        await peers.program.kill()
        await ledger.pool.shutdown()
        if removesServers { try await servers.remove() } else { try await database.drop() }
    }

    private func history(serverLogsFrom starts: [Int]) async throws -> History {
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
        history.arrangement.pace = plan.pace
        history.disturbances = disturbances.withLock { $0 }
        history.versions = await notebook.versions
        history.trashedNotes = await notebook.trashed
        history.openTransactions = openTransactions.withLock { $0 }
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
        for (server, start) in zip(servers.all, starts) {
            let log = String(decoding: server.serverLog.utf8.dropFirst(start), as: UTF8.self)
            let lines = log.split(separator: "\n").map(String.init)
            history.texts += lines.map { History.Text(place: "PostgreSQL's log", text: $0) }
            history.refusals += lines.compactMap(History.Refusal.init)
        }
        try await ledger.read(into: &history)
        history.acknowledgedJobs = acknowledgedJobs.withLock { $0 }
        history.failovers = lostServers.withLock { $0 }.map { $0.failover(to: history.changes) }
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

    var databaseName: String { database.name }

    /// Says that an attack could not be made without which the run is worth nothing.
    func fail(_ error: any Error) {
        failure.withLock { $0 = $0 ?? error }
    }

    /// Remembers a job whose INSERT was answered.
    func acknowledge(_ job: UUID) {
        acknowledgedJobs.withLock { _ = $0.insert(job.uuidString.lowercased()) }
    }

    func remember(_ transaction: History.OpenTransaction) {
        openTransactions.withLock { $0.append(transaction) }
    }

    func remember(_ lost: LostServer) {
        lostServers.withLock { $0.append(lost) }
    }

    func remember(_ event: History.PageEvent) {
        pageEvents.withLock { $0.append(event) }
    }
}
