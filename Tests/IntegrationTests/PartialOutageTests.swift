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

        /// What stands before its peers is this worker's alone.
        @Test func aWorkerWhoseProxyRefusesHoldsUpNobody() async throws {
            try await Installation.with(notes: 1) { installation in
                let proxy = try await SimulatedPeers.start(notes: 1)
                try await proxy.setFaults(
                    ["auth", "notes", "health"].map { Self.fault("extractor", $0, code: 503) }.joined(separator: ",")
                )
                for number in 1...16 {
                    try await installation.addUser("user-\(number)", notionToken: "ntn_\(number)")
                }
                let behind = Self.settings.merging(["KEEP_EXTRACTOR_URL": proxy.keepURL]) { $1 }
                try await installation.startWorker("ill", behind)
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
                await proxy.program.kill()
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
