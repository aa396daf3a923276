import FlowControl
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Outages in which something still answers, and outages that nobody's job asks about.
    @Suite struct PartialOutageTests {
        private static let settings = [
            "SYNC_BREAKER_FAILURES": "3", "SYNC_BREAKER_COOLDOWN": "500ms", "SYNC_BREAKER_COOLDOWN_CAP": "4s",
            "SYNC_JOB_BACKOFF_BASE": "2s", "SYNC_JOB_BACKOFF_CAP": "5s", "SYNC_UNKNOWN_COOLDOWN": "2s",
        ]

        private static func fault(_ peer: String, _ operation: String, code: Int) -> String {
            #"{"peer":"\#(peer)","operation":"\#(operation)","fault":{"kind":"status","code":\#(code)}}"#
        }

        private static func start(
            _ installation: Installation,
            users: Int,
            workers: Int,
            token: String? = nil
        ) async throws {
            for number in 1...users {
                try await installation.addUser("user-\(number)", notionToken: token ?? "ntn_\(number)")
            }
            for number in 1...workers { try await installation.startWorker("worker-\(number)", settings) }
        }

        private static func isBroken(_ peer: Peer, _ installation: Installation) async throws -> Bool {
            let gates = try await GateList(pool: installation.pool).gates(isComplete: true, limit: 100)
            return gates.contains { $0.name == GateName(peer) && $0.openedAt != nil }
        }

        /// Its own word of its health notwithstanding, and though few jobs are due, which one worker may have claimed.
        @Test(arguments: [("writer", "create", 502), ("writer", "create", 404), ("extractor", "notes", 502)])
        func callsThatFailWhereThePeerSaysThatItIsWellSpendNoAttempt(
            _ peer: String,
            _ operation: String,
            _ code: Int
        ) async throws {
            try await Installation.with(notes: 2) { installation in
                try await installation.peers.setFaults(Self.fault(peer, operation, code: code))
                try await Self.start(installation, users: 4, workers: 2)
                for number in 1...4 { try await installation.insertJob("user-\(number)") }
                try await eventually(within: .seconds(60), "the opening of the breaker") {
                    try await Self.isBroken(peer == "writer" ? .notionWriter : .keepExtractor, installation)
                }
                try await Task.sleep(for: .seconds(20))
                let spent = try await installation.count(
                    "SELECT count(*) FROM sync_jobs WHERE status <> 'running' AND attempt > 0"
                )
                #expect(spent == 0)
                try await installation.peers.setFaults("")
                try await installation.waitForAllJobs(within: .seconds(90))
                #expect(try await installation.statuses() == ["completed": 4])
                #expect(try await installation.count("SELECT coalesce(max(attempt), 0) FROM sync_jobs") == 1)
            }
        }

        /// One integration serves all users.
        @Test func usersOfOneTokenAreSeveral() async throws {
            try await Installation.with(notes: 6) { installation in
                try await installation.peers.setFaults(Self.fault("writer", "create", code: 502))
                try await Self.start(installation, users: 6, workers: 2, token: "ntn_all")
                for number in 1...6 { try await installation.insertJob("user-\(number)") }
                try await eventually(within: .seconds(60), "the opening of the breaker") {
                    try await Self.isBroken(.notionWriter, installation)
                }
                try await Task.sleep(for: .seconds(10))
                let spent = try await installation.count(
                    "SELECT count(*) FROM sync_jobs WHERE status <> 'running' AND attempt > 0"
                )
                #expect(spent == 0)
                try await installation.peers.setFaults("")
                try await installation.waitForAllJobs(within: .seconds(90))
                #expect(try await installation.statuses() == ["completed": 6])
            }
        }

        /// What stands before its peers is the matter of these workers alone.
        @Test(arguments: [1, 2])
        func workersWhoseProxyRefusesHoldUpNobody(_ ill: Int) async throws {
            try await Self.withProxy(["auth", "notes", "health"], code: 503) { installation, behind in
                for number in 1...ill { try await installation.startWorker("ill-\(number)", behind) }
                for number in 1...2 { try await installation.startWorker("worker-\(number)", Self.settings) }
                var jobs: [JobID] = []
                for number in 1...16 {
                    jobs.append(try await installation.insertJob("user-\(number)"))
                    try await Task.sleep(for: .milliseconds(700))
                }
                for job in jobs {
                    let done = try await installation.waitForJob(job, within: .seconds(25))
                    #expect(done.status == .completed && done.attempt == 1)
                }
            }
        }

        /// A worker all whose calls fail at once would be the first to claim each job again.
        @Test(arguments: [403, 502])
        func aWorkerWhoseProxyAnswersForTheHealthOfItsPeerIsNoDrainOfAttempts(_ code: Int) async throws {
            try await Self.withProxy(["auth", "notes"], code: code) { installation, behind in
                let ill = try await installation.startWorker("ill", behind)
                try await installation.startWorker("worker", Self.settings)
                for number in 1...16 { try await installation.insertJob("user-\(number)") }
                try await installation.waitForAllJobs(within: .seconds(90))
                #expect(try await installation.statuses() == ["completed": 16])
                let spent = try await installation.count("SELECT sum(attempt - 1) FROM sync_jobs")
                #expect(spent <= 8, "two before the worker leaves the jobs to the other")
                #expect(ill.standardOutput.contains { $0.contains("leaves the jobs to others") })
            }
        }

        /// - Parameter body: is given the settings of a worker behind a proxy that answers these calls of the extractor.
        private static func withProxy(
            _ operations: [String],
            code: Int,
            _ body: (Installation, _ behind: [String: String]) async throws -> Void
        ) async throws {
            try await Installation.with(notes: 1) { installation in
                let proxy = try await SimulatedPeers.start(notes: 1)
                try await proxy.setFaults(
                    operations.map { fault("extractor", $0, code: code) }.joined(separator: ",")
                )
                for number in 1...16 {
                    try await installation.addUser("user-\(number)", notionToken: "ntn_\(number)")
                }
                try await body(installation, settings.merging(["KEEP_EXTRACTOR_URL": proxy.keepURL]) { $1 })
                await proxy.program.kill()
            }
        }

        /// It serves one call at a time: a login has to wait for the fetch of another user, and then it is well.
        @Test func aFetchThatTakesLongSpendsNoAttemptOfOthers() async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.peers.setFaults(
                    #"{"peer":"extractor","operation":"notes","times":1,"fault":{"kind":"latency","ms":11000}}"#
                )
                try await installation.peers.serialiseExtractor()
                let settings = Self.settings.merging(["KEEP_AUTH_TIMEOUT": "1500ms"]) { $1 }
                for name in ["fetching", "waiting"] {
                    try await installation.addUser(name, notionToken: "ntn_\(name)")
                    try await installation.startWorker("worker-\(name)", settings)
                }
                try await installation.insertJob("fetching")
                try await Task.sleep(for: .seconds(3))
                let waiting = try await installation.insertJob("waiting")
                try await installation.waitForAllJobs(within: .seconds(90))
                #expect(try await installation.statuses() == ["completed": 2])
                #expect(try await installation.job(waiting).attempt == 1)
            }
        }

        /// Its slot is not held until KEEP_AUTH_TIMEOUT (120 s) is over, or KEEP_NOTES_TIMEOUT (30 min): an extractor
        /// that is back has forgotten the call.
        @Test(arguments: ["auth", "notes"]) func aCallThatASilentExtractorHasForgottenIsBrokenOff(
            _ operation: String
        ) async throws {
            try await Installation.with(notes: 1) { installation in
                let rules = [operation, "health"].map {
                    #"{"peer":"extractor","operation":"\#($0)","fault":{"kind":"hang","seconds":900}}"#
                }
                try await installation.peers.setFaults(rules.joined(separator: ","))
                try await Self.start(installation, users: 1, workers: 1)
                let job = try await installation.insertJob("user-1")
                try await Task.sleep(for: .seconds(20))
                try await installation.peers.setFaults("")
                #expect(try await installation.waitForJob(job, within: .seconds(60)).attempt == 1)
            }
        }

        /// What few users' notes bring about opens the breaker once, and spends these users' attempts.
        @Test func usersWhoseNotesFailTheWriterSpendTheirAttempts() async throws {
            try await Installation.with(notes: 4) { installation in
                let odd = (1...3).map { "odd-\($0)" }
                let rules = odd.map {
                    #"{"peer":"writer","operation":"create","match":{"database_id":"\#(Installation.databaseID(of: $0))"},"fault":{"kind":"status","code":502}}"#
                }
                try await installation.peers.setFaults(rules.joined(separator: ","))
                for user in odd { try await installation.addUser(user, notionToken: "ntn_\(user)") }
                try await Self.start(installation, users: 50, workers: 2)
                for user in odd { try await installation.insertJob(user) }
                var openings: Set<String> = []
                var spent = 0
                let end = ContinuousClock.now + .seconds(45)
                for round in 0..<300 {
                    if ContinuousClock.now > end { break }
                    // Of a user each time whose notes are still to be written.
                    if round % 4 == 0 { try await installation.insertJob("user-\(round / 4 % 50 + 1)") }
                    if round % 30 == 29 { try await installation.insertJob(odd[round / 30 % odd.count]) }
                    let opened = try await installation.pool.query(
                        "SELECT opened_at::text AS at FROM sync_gates WHERE gate = 'notion_writer' AND opened_at IS NOT NULL"
                    ).first
                    if let opened { openings.insert(try opened.decode("at")) }
                    spent = try await installation.count(
                        "SELECT count(DISTINCT user_id) FROM sync_jobs WHERE user_id LIKE 'odd%' AND (status = 'failed' OR attempt > 1)"
                    )
                    try await Task.sleep(for: .milliseconds(250))
                }
                #expect(spent == odd.count, "their attempts are spent")
                #expect(openings.count <= 2, "\(openings.sorted())")
            }
        }

        /// The writer stops listening in the middle of a job, and no other job is there that would notice.
        @Test func aJobWhoseWriterGoesIsPutOffAfterAFewCalls() async throws {
            try await Installation.with(notes: 60) { installation in
                try await Self.start(installation, users: 1, workers: 2)
                let job = try await installation.insertJob("user-1")
                try await eventually(within: .seconds(60), "the first pages") {
                    try await installation.peers.requests().creates >= 3
                }
                await installation.peers.program.kill()
                try await eventually(within: .seconds(30), "the job's return to the queue") {
                    try await installation.job(job).status == .queued
                }
                let revived = try await installation.peers.restarted(notes: 60)
                try await installation.waitForAllJobs(within: .seconds(120))
                #expect(try await installation.job(job).attempt == 1)
                await revived.program.kill()
            }
        }

        /// They agree at first, as no other is there: what a worker has not seen for itself it does not claim for.
        @Test func workersThatAreOutOfReachLeaveJobsAndProbesToTheOthers() async throws {
            try await Installation.with(notes: 1) { installation in
                for number in 1...12 {
                    try await installation.addUser("user-\(number)", notionToken: "ntn_\(number)")
                }
                let deaf = Self.settings.merging(["KEEP_EXTRACTOR_URL": "http://127.0.0.1:1"]) { $1 }
                var deafWorkers: [ProgramRun] = []
                for number in 1...2 { deafWorkers.append(try await installation.startWorker("deaf-\(number)", deaf)) }
                for number in 1...4 { try await installation.insertJob("user-\(number)") }
                try await eventually(within: .seconds(60), "the opening of the breaker") {
                    try await Self.isBroken(.keepExtractor, installation)
                }
                for number in 1...2 { try await installation.startWorker("worker-\(number)", Self.settings) }
                try await installation.waitForAllJobs(within: .seconds(60))
                let claimed = Self.jobsPutBack(by: deafWorkers)
                for number in 5...12 {
                    let job = try await installation.insertJob("user-\(number)")
                    #expect(try await installation.waitForJob(job, within: .seconds(20)).attempt == 1)
                    #expect(try await !Self.isBroken(.keepExtractor, installation))
                }
                #expect(try await installation.statuses() == ["completed": 12])
                #expect(Self.jobsPutBack(by: deafWorkers) == claimed, "they are held")
            }
        }

        private static func jobsPutBack(by workers: [ProgramRun]) -> Int {
            workers.map { worker in worker.standardOutput.count { $0.contains("Job put off") } }.reduce(0, +)
        }

        /// Nobody's job is left that would find out that the peer is back.
        @Test func aPeerThatIsBackIsFoundWithoutAJob() async throws {
            try await Installation.with(notes: 1) { installation in
                await installation.peers.program.kill()
                try await Self.start(installation, users: 2, workers: 2)
                for number in 1...2 { try await installation.insertJob("user-\(number)") }
                try await eventually(within: .seconds(60), "the opening of the breaker") {
                    try await Self.isBroken(.keepExtractor, installation)
                }
                try await installation.pool.execute("UPDATE sync_jobs SET status = 'cancelled'")
                let revived = try await installation.peers.restarted(notes: 1)
                try await eventually(within: .seconds(60), "the closing of the breaker") {
                    try await !Self.isBroken(.keepExtractor, installation)
                }
                await revived.program.kill()
            }
        }

        /// An ingress that does not know the path answers so; and one user's failed login is the user's own.
        @Test func aPeerWhoseHealthCannotBeAskedForServesAll() async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.peers.setFaults(
                    Self.fault("extractor", "health", code: 404) + ","
                        + #"{"peer":"extractor","operation":"auth","times":1,"fault":{"kind":"status","code":500}}"#
                )
                try await Self.start(installation, users: 3, workers: 1)
                for number in 1...3 {
                    let job = try await installation.insertJob("user-\(number)")
                    #expect(try await installation.waitForJob(job).status == .completed)
                }
                #expect(try await !Self.isBroken(.keepExtractor, installation))
            }
        }
    }
}
