import Foundation
import JobQueue
import Postgres
import Support
import TestSupport
import Testing

extension IntegrationTests {
    /// The gateway and the admin interface at work on a real intake and a real worker.
    @Suite struct IntakeTests {
        /// Short times for the intake, as for the workers here.
        private func withService(
            users: Int,
            intakes: Int = 1,
            notes: Int = 2,
            simulator: [String] = [],
            cluster: PrivateCluster? = nil,
            _ body: (Installation, [String]) async throws -> Void
        ) async throws {
            try await Installation.with(notes: notes, simulator: simulator, cluster: cluster) { installation in
                for user in 0..<users { try await installation.addUser("user-\(user)") }
                try await installation.startWorker("worker", ["SYNC_WORKER_CONCURRENCY": "8"])
                var addresses: [String] = []
                for replica in 1...intakes { addresses.append(try await installation.startIntake("intake-\(replica)")) }
                try await body(installation, addresses)
            }
        }

        @Test func everyStartOfTheGatewayIsOneCompletedJob() async throws {
            try await withService(users: 20, intakes: 2) { installation, addresses in
                let starts = try await withThrowingTaskGroup(of: [Gateway.Start].self) { group in
                    for client in 0..<16 {
                        let gateway = Gateway(pool: installation.pool, service: addresses[client % 2])
                        group.addTask {
                            var starts: [Gateway.Start] = []
                            for number in stride(from: client, to: 200, by: 16) {
                                starts.append(
                                    try await gateway.startSync(user: "user-\(number % 20)", full: number % 7 == 0)
                                )
                            }
                            return starts
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                #expect(starts.count == 200)
                #expect(starts.allSatisfy { if case .accepted = $0 { true } else { false } }, "\(starts)")
                try await installation.waitForAllJobs(within: .seconds(90))
                #expect(try await installation.statuses() == ["completed": 200])
                // A job of the gateway can be seen at either address.
                if case .accepted(let id) = starts[0] {
                    for address in addresses {
                        let gateway = Gateway(pool: installation.pool, service: address)
                        #expect(try await gateway.status(of: id) == "completed")
                    }
                }
                // Two notes of each of 20 users, however often they were synchronized.
                #expect(try await installation.peers.requests().creates == 40)
            }
        }

        /// The answer to a start is lost, and whoever sent it sends it again, to the other replica.
        @Test func aStartIsOneJobHoweverOftenItIsSent() async throws {
            try await withService(users: 1, intakes: 2) { installation, addresses in
                let id = JobID()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for sending in 0..<10 {
                        let gateway = Gateway(pool: installation.pool, service: addresses[sending % 2])
                        group.addTask {
                            let status = try await gateway.post(id, user: "user-0").status
                            #expect(status == 200)
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await installation.waitForJob(id).status == .completed)
                // Once more after its end: it is not run again.
                let gateway = Gateway(pool: installation.pool, service: addresses[0])
                #expect(try await gateway.post(id, user: "user-0").status == 200)
                #expect(try await installation.job(id).status == .completed)
                #expect(try await installation.count("SELECT count(*) FROM sync_jobs") == 1)
            }
        }

        @Test func theAdminInterfaceStartsRetriesAndAborts() async throws {
            try await withService(users: 2, notes: 40, simulator: ["--latency-ms", "300"]) { installation, addresses in
                let admin = AdminInterface(service: addresses[0])
                let first = try await admin.startSync(user: "user-0", full: true)
                #expect(try await installation.job(first).isFullSync)
                try await installation.waitForJob(first, "the job to run") {
                    $0.status == .running && $0.processedNotes > 0
                }

                // A running job, and one that waits behind it.
                let second = try await admin.startSync(user: "user-0", full: false)
                try await admin.abort(second)
                try await admin.abort(first)
                for id in [first, second] {
                    let job = try await installation.job(id)
                    #expect(job.status == .cancelled && job.errorMessage == "Job cancelled by user")
                    #expect(job.completedAt != nil)
                    let last = try await installation.jobs.logs(of: id).filter { $0.level == "WARNING" }.map(\.message)
                    #expect(last.contains("Sync job cancelled by user"))
                }
                try await installation.waitForIdleWorkers()
                let written = try await installation.peers.requests().writes
                #expect(written < 40, "the worker went on")

                // A finished one.
                let error = try await #require(throws: AdminInterface.Refused.self) { try await admin.abort(first) }
                #expect(error.status == 400)
                #expect(error.description.contains("Cannot abort job with status 'cancelled'"))

                // A failed one, retried as the admin interface does: a new job of the same user.
                let stranger = try await admin.startSync(user: "nobody", full: false)
                #expect(try await installation.waitForJob(stranger).status == .failed)
                try await installation.addUser("nobody")
                let retried = try await admin.startSync(user: "nobody", full: false)
                #expect(try await installation.waitForJob(retried, within: .seconds(60)).status == .completed)
            }
        }

        /// The database restarts under the callers, and is back within three seconds.
        @Test func aRestartOfTheDatabaseFailsNoStart() async throws {
            let cluster = try await PrivateCluster.start(PrivateCluster.Options(fsync: true))
            try await withService(users: 4, intakes: 2, cluster: cluster) { installation, addresses in
                let admin = AdminInterface(service: addresses[1])
                _ = try await admin.startSync(user: "user-0", full: false)
                try await installation.waitForAllJobs()
                var wasAlwaysInTime = true
                for round in 0..<3 {
                    // The gateway has inserted its rows, and calls while the server is away.
                    let ids = (0..<8).map { _ in JobID() }
                    let gateways = addresses.map { Gateway(pool: installation.pool, service: $0) }
                    for (number, id) in ids.enumerated() {
                        try await gateways[0].insert(id, user: "user-\(number % 4)", full: false)
                    }
                    try await cluster.stop(mode: round == 1 ? .immediate : .fast)
                    async let statuses = withThrowingTaskGroup(of: Int.self) { group in
                        for (number, id) in ids.enumerated() {
                            group.addTask { try await gateways[number % 2].post(id, user: "user-\(number % 4)").status }
                        }
                        return try await group.reduce(into: []) { $0.append($1) }
                    }
                    let calledAt = ContinuousClock.now
                    async let started = admin.startSync(user: "user-3", full: false)
                    try await cluster.start()
                    let wasInTime = ContinuousClock.now - calledAt < .seconds(3)
                    wasAlwaysInTime = wasAlwaysInTime && wasInTime
                    let answers = try await statuses
                    let other: JobID
                    if wasInTime {
                        #expect(answers == Array(repeating: 200, count: 8))
                        other = try await started
                    } else {
                        // A machine too busy to restart it so fast: told to come again, and accepted then.
                        #expect(answers.allSatisfy { [200, 503].contains($0) }, "\(answers)")
                        _ = try? await started
                        for (number, id) in ids.enumerated() {
                            let status = try await gateways[number % 2].post(id, user: "user-\(number % 4)").status
                            #expect(status == 200)
                        }
                        other = try await admin.startSync(user: "user-3", full: false)
                    }
                    for id in ids + [other] {
                        #expect(try await installation.waitForJob(id, within: .seconds(60)).status == .completed)
                    }
                }
                let ended = try await installation.statuses()
                #expect(ended.keys.sorted() == ["completed"])
                if wasAlwaysInTime { #expect(ended == ["completed": 28]) }
            }
            try await cluster.remove()
        }

        /// The connections that are open go silent, as after a failover or behind a router that has forgotten them; new
        /// ones are answered.
        @Test func connectionsThatWentSilentFailNoStart() async throws {
            try await withService(users: 4) { installation, addresses in
                let gateway = Gateway(pool: installation.pool, service: addresses[0])
                let admin = AdminInterface(service: addresses[0])
                // Every connection is opened.
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<32 {
                        group.addTask { _ = try await gateway.startSync(user: "user-\(number % 4)") }
                        group.addTask { _ = try? await admin.abort(JobID()) }
                    }
                    try await group.waitForAll()
                }
                let backends = try await installation.pool.query(
                    """
                    SELECT pid FROM pg_stat_activity
                    WHERE application_name = 'intake-1' AND datname = current_database()
                    """
                ).map { try $0.decode("pid", as: Int32.self) }
                #expect(backends.count >= 2)
                for backend in backends { #expect(kill(backend, SIGSTOP) == 0) }
                defer { for backend in backends { _ = kill(backend, SIGCONT) } }
                let starts = try await withThrowingTaskGroup(of: Gateway.Start.self) { group in
                    for number in 0..<16 { group.addTask { try await gateway.startSync(user: "user-\(number % 4)") } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(starts.allSatisfy { if case .accepted = $0 { true } else { false } }, "\(starts)")
                // The readers' connections are silent too: once, and then new ones are asked.
                try await eventually(within: .seconds(15), "an answer about a job") {
                    guard case .accepted(let id) = starts[0] else { return false }
                    return try await gateway.status(of: id) != nil
                }
            }
        }

        /// A row that somebody holds locked in psql, and everybody who wants to abort that job: starts of others go on.
        @Test func aLockedJobHoldsUpItsOwnAbortsAlone() async throws {
            try await withService(users: 1) { installation, addresses in
                let gateway = Gateway(pool: installation.pool, service: addresses[0])
                let admin = AdminInterface(service: addresses[0])
                let locked = JobID()
                try await installation.pool.execute(
                    """
                    INSERT INTO sync_jobs (job_id, user_id, status, run_at)
                    VALUES (\(locked.rawValue), 'another', 'queued', now() + interval '1 day')
                    """
                )
                let holder = try await installation.database.connect()
                try await holder.execute("BEGIN")
                _ = try await holder.query("SELECT 1 FROM sync_jobs WHERE job_id = \(locked.rawValue) FOR UPDATE")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<40 { group.addTask { _ = try? await admin.abort(locked) } }
                    for _ in 0..<20 {
                        let began = ContinuousClock.now
                        guard case .accepted = try await gateway.startSync(user: "user-0") else {
                            Issue.record("a start was refused")
                            break
                        }
                        #expect(ContinuousClock.now - began < .seconds(2))
                    }
                    try await group.waitForAll()
                }
                try await holder.execute("ROLLBACK")
                await holder.close()
                // One that was still waiting may have been first.
                _ = try? await admin.abort(locked)
                #expect(try await installation.job(locked).status == .cancelled)
            }
        }

        /// One of two replicas after the other is stopped and started while the gateway starts syncs over connections
        /// that it keeps.
        @Test func aRollingRestartFailsNoStart() async throws {
            try await withService(users: 4, intakes: 2) { installation, addresses in
                let restarts = Restarts()
                let starts = try await withThrowingTaskGroup(of: [Gateway.Start].self) { group in
                    for client in 0..<8 {
                        let gateways = addresses.map { Gateway(pool: installation.pool, service: $0) }
                        group.addTask {
                            var starts: [Gateway.Start] = []
                            while !restarts.areDone.load(ordering: .relaxed) {
                                // As behind a balancer that takes only who is ready.
                                guard let gateway = try await Self.ready(gateways) else { continue }
                                starts.append(try await gateway.startSync(user: "user-\(client % 4)"))
                            }
                            return starts
                        }
                    }
                    for round in 0..<4 {
                        let name = "intake-\(round % 2 + 1)"
                        let port = try #require(URL(string: addresses[round % 2])?.port)
                        let intake = try #require(installation.program(name))
                        intake.send(signal: SIGTERM)
                        #expect(try await intake.waitForExit(within: .seconds(15)) == .code(0))
                        _ = try await installation.startIntake(name, ["SYNC_SERVICE_PORT": "\(port)"])
                    }
                    restarts.areDone.store(true, ordering: .relaxed)
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                #expect(starts.count > 20)
                let refused = starts.filter { if case .refused = $0 { true } else { false } }
                #expect(refused.isEmpty, "\(refused.count) of \(starts.count): \(refused.prefix(3))")
            }
        }

        private final class Restarts: Sendable {
            let areDone = Atomic(false)
        }

        private static func ready(_ gateways: [Gateway]) async throws -> Gateway? {
            for gateway in gateways.shuffled() where await gateway.isReady() { return gateway }
            return nil
        }

        /// SIGTERM while a start waits for the database: it is still answered, and only then does the program end.
        @Test func stoppingFailsNoStart() async throws {
            let cluster = try await PrivateCluster.start(PrivateCluster.Options(fsync: true))
            try await withService(users: 1, cluster: cluster) { installation, addresses in
                let gateway = Gateway(pool: installation.pool, service: addresses[0])
                let id = JobID()
                try await gateway.insert(id, user: "user-0", full: false)
                try await cluster.stop()
                async let answer = gateway.post(id, user: "user-0")
                // The request is in the intake's hands when it has noticed that the database is away.
                let intake = try #require(installation.program("intake-1"))
                try await intake.waitForLine(containing: "cannot be reached")
                intake.send(signal: SIGTERM)
                try await cluster.start()
                #expect(try await answer.status == 200)
                #expect(try await intake.waitForExit(within: .seconds(10)) == .code(0))
                #expect(try await installation.waitForJob(id, within: .seconds(60)).status == .completed)
            }
            try await cluster.remove()
        }

        /// A database that stays away: the callers hear of it in time, in JSON.
        @Test func aDatabaseThatStaysAwayIsSaidInTime() async throws {
            let cluster = try await PrivateCluster.start()
            try await withService(users: 1, cluster: cluster) { installation, addresses in
                let gateway = Gateway(pool: installation.pool, service: addresses[0])
                try await cluster.stop()
                let clock = ContinuousClock()
                var times: [Duration] = []
                // A machine that is busy with something else may take a second more now and then.
                while times.count < 3, times.last.map({ $0 < .seconds(5) }) != true {
                    let began = clock.now
                    let answer = try await gateway.post(JobID(), user: "user-0")
                    times.append(began.duration(to: clock.now))
                    #expect(answer.status == 503)
                    #expect(answer.text.hasPrefix(#"{"detail":"#))
                }
                #expect(times.allSatisfy { $0 > .seconds(3) } && times.contains { $0 < .seconds(5) }, "\(times)")
                // What changes nothing by itself does not wait.
                let admin = AdminInterface(service: addresses[0])
                let began = clock.now
                let error = try await #require(throws: AdminInterface.Refused.self) { try await admin.abort(JobID()) }
                #expect(error.status == 503)
                let abort = began.duration(to: clock.now)
                #expect(abort < .seconds(3), "\(abort)")
                try await cluster.start()
            }
            try await cluster.remove()
        }
    }
}
