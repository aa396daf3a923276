import FlowControl
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Outages of a peer under several workers.
    @Suite struct OutageTests {
        /// The breaker as it is set by default, but for a shorter first cooldown.
        private static let breaker = [
            "SYNC_BREAKER_FAILURES": "3", "SYNC_BREAKER_COOLDOWN": "500ms", "SYNC_BREAKER_COOLDOWN_CAP": "4s",
        ]

        private static let faults = [
            #"{"kind":"status","code":503}"#, #"{"kind":"reset_before"}"#, #"{"kind":"hang","seconds":900}"#,
        ]

        private static func startWorkers(_ installation: Installation, _ count: Int) async throws {
            for number in 1...count {
                try await installation.startWorker(
                    "worker-\(number)",
                    breaker.merging(["KEEP_AUTH_TIMEOUT": "3s", "SYNC_WORKER_CONCURRENCY": "4"]) { $1 }
                )
            }
        }

        private static func addUsers(_ installation: Installation, _ count: Int) async throws -> [String] {
            let users = (1...count).map { "user-\($0)" }
            for user in users { try await installation.addUser(user, notionToken: "ntn_\(user)") }
            return users
        }

        private static func isBroken(_ peer: Peer, _ installation: Installation) async throws -> Bool {
            let gates = try await GateList(pool: installation.pool).gates(isComplete: true, limit: 100)
            return gates.contains { $0.name == GateName(peer) && $0.openedAt != nil }
        }

        /// Nothing listens: the process of both peers is gone.
        @Test func jobsSurviveAnOutageOfBothPeersWithoutAnAttempt() async throws {
            try await Installation.with(notes: 2) { installation in
                let users = try await Self.addUsers(installation, 40)
                await installation.peers.program.kill()
                try await Self.startWorkers(installation, 4)
                var jobs: [JobID] = []
                for user in users { jobs.append(try await installation.insertJob(user)) }
                try await eventually(within: .seconds(30), "the opening of the breaker") {
                    try await Self.isBroken(.keepExtractor, installation)
                }
                try await installation.runOutage(seconds: 15)
                let spent = try await installation.count(
                    "SELECT count(*) FROM sync_jobs WHERE status <> 'running' AND attempt > 0"
                )
                #expect(spent == 0)
                let revived = try await installation.peers.restarted(notes: 2)
                let ended = ContinuousClock.now
                try await installation.waitForAllJobs(within: .seconds(90))
                #expect(ContinuousClock.now - ended < .seconds(60))
                for job in jobs {
                    let record = try await installation.job(job)
                    #expect(record.status == .completed && record.attempt == 1 && record.failedNotes == 0)
                }
                #expect(try await !Self.isBroken(.keepExtractor, installation))
                await revived.program.kill()
            }
        }

        @Test(arguments: faults) func aWriterThatFailsEverybodyIsCalledByOneAtATime(_ fault: String) async throws {
            try await Installation.with(notes: 3) { installation in
                let users = try await Self.addUsers(installation, 30)
                let rules = ["create", "update", "health"].map {
                    #"{"peer":"writer","operation":"\#($0)","fault":\#(fault)}"#
                }
                try await installation.peers.setFaults(rules.joined(separator: ","))
                try await Self.startWorkers(installation, 4)
                for user in users { try await installation.insertJob(user) }
                try await eventually(within: .seconds(60), "the opening of the breaker") {
                    try await Self.isBroken(.notionWriter, installation)
                }
                // Whoever was under way is heard.
                try await installation.runOutage(seconds: 5)
                let before = try await installation.peers.requests().writes
                try await installation.runOutage(seconds: 12)
                let during = try await installation.peers.requests().writes - before
                #expect(during <= 8, "probes alone, and those ask for the health first")
                try await installation.peers.setFaults("")
                try await installation.waitForAllJobs(within: .seconds(90))
                #expect(try await installation.statuses() == ["completed": 30])
                #expect(try await installation.count("SELECT count(*) FROM sync_failed_notes") == 0, "none is held")
                #expect(try await installation.count("SELECT coalesce(max(attempt), 0) FROM sync_jobs") == 1)
            }
        }

        /// Each probe is one call, also where the peer answers it.
        @Test(arguments: [502, 503]) func anExtractorThatIsUnavailableIsAskedOnceAtATime(_ code: Int) async throws {
            try await Installation.with(notes: 1) { installation in
                let users = try await Self.addUsers(installation, 20)
                let rules = ["auth", "notes", "health"].map {
                    #"{"peer":"extractor","operation":"\#($0)","fault":{"kind":"status","code":\#(code)}}"#
                }
                try await installation.peers.setFaults(rules.joined(separator: ","))
                try await Self.startWorkers(installation, 3)
                for user in users { try await installation.insertJob(user) }
                try await eventually(within: .seconds(60), "the opening of the breaker") {
                    try await Self.isBroken(.keepExtractor, installation)
                }
                // Whoever was under way is heard, and the cooldown has grown to 4 s.
                try await installation.runOutage(seconds: 12)
                try await installation.peers.resetRequests()
                try await installation.runOutage(seconds: 16)
                let calls = try await installation.peers.requests().extractor.total
                #expect((2...5).contains(calls))
            }
        }

        /// A worker that has lost its way to a peer claims nothing that others can run, and closes nothing for them.
        @Test(arguments: ["NOTION_WRITER_URL", "KEEP_EXTRACTOR_URL"])
        func aWorkerThatAloneReachesNoPeerStepsAside(_ peer: String) async throws {
            try await Installation.with(notes: 2) { installation in
                let users = try await Self.addUsers(installation, 20)
                let ill = try await installation.startWorker(
                    "ill",
                    Self.breaker.merging([peer: "http://127.0.0.1:1", "SYNC_WORKER_CONCURRENCY": "8"]) { $1 }
                )
                for user in users { try await installation.insertJob(user) }
                try await installation.startWorker("well", Self.breaker)
                try await installation.waitForAllJobs(within: .seconds(90))
                #expect(try await installation.statuses() == ["completed": 20])
                let spent = try await installation.count("SELECT coalesce(max(attempt), 0) FROM sync_jobs")
                #expect(spent == 1)
                // Later, when both are there from the beginning.
                for user in users { try await installation.insertJob(user, full: true) }
                try await installation.waitForAllJobs(within: .seconds(60))
                #expect(try await installation.count("SELECT coalesce(max(attempt), 0) FROM sync_jobs") == 1)
                for peer in Peer.allCases { #expect(try await !Self.isBroken(peer, installation)) }
                let words = ["It claims no jobs until it does.", "until then this one claims no jobs."]
                #expect(words.contains { ill.transcript.contains($0) })
                // Its row says so to people.
                try await eventually(within: .seconds(30), "word of the hold") {
                    let workers = try await JobClient(pool: installation.pool).workers()
                    return workers.filter { $0.claimsHeldSince != nil }.map(\.name) == ["ill"]
                }
            }
        }

        /// Where the peer itself says that it is not well one user's job waits too, and holds up nobody else.
        @Test func oneUsersJobSpendsNoAttemptInAnOutage() async throws {
            try await Installation.with(notes: 2) { installation in
                try await installation.addUser("solo", notionToken: "ntn_solo")
                let rules = ["create", "health"].map {
                    #"{"peer":"writer","operation":"\#($0)","fault":{"kind":"status","code":503}}"#
                }
                try await installation.peers.setFaults(rules.joined(separator: ","))
                for worker in ["one", "two"] {
                    try await installation.startWorker(
                        worker,
                        Self.breaker.merging(["SYNC_UNKNOWN_COOLDOWN": "2s"]) { $1 }
                    )
                }
                let job = try await installation.insertJob("solo")
                try await eventually(within: .seconds(60), "the wait for the writer") {
                    let record = try await installation.job(job)
                    return record.status == .queued && record.lastError != nil
                }
                try await installation.runOutage(seconds: 10)
                #expect(try await !Self.isBroken(.notionWriter, installation))
                try await installation.peers.setFaults("")
                try await installation.waitForAllJobs(within: .seconds(60))
                let record = try await installation.job(job)
                #expect(record.status == .completed && record.attempt == 1 && record.failedNotes == 0)
            }
        }

        /// The worker that has the probe dies with it.
        @Test func anotherWorkerProbesWhereOneDies() async throws {
            try await Installation.with(notes: 1) { installation in
                let users = try await Self.addUsers(installation, 6)
                try await Self.startWorkers(installation, 2)
                let hang = #"{"kind":"hang","seconds":900}"#
                let rules = ["auth", "health", "notes"].map {
                    #"{"peer":"extractor","operation":"\#($0)","fault":\#(hang)}"#
                }
                try await installation.peers.setFaults(rules.joined(separator: ","))
                for user in users { try await installation.insertJob(user) }
                try await eventually(within: .seconds(60), "a probe") {
                    try await installation.count(
                        "SELECT count(*) FROM sync_gates WHERE probe_until > clock_timestamp()"
                    ) == 1
                }
                let prober = try await installation.pool.query(
                    "SELECT worker FROM sync_jobs WHERE status = 'running' ORDER BY random() LIMIT 1"
                ).first?.decode(at: 0, as: String.self)
                await installation.program(prober ?? "worker-1")?.kill()
                try await installation.peers.setFaults("")
                try await installation.waitForAllJobs(within: .seconds(90))
                #expect(try await installation.statuses() == ["completed": 6])
            }
        }
    }
}

extension Installation {
    /// Lets an outage go on for a while.
    fileprivate func runOutage(seconds: Int) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        try await eventually(within: .seconds(seconds + 5), "the time of the outage") { ContinuousClock.now > end }
    }
}
