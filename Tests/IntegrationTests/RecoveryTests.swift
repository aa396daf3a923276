import Foundation
import JobQueue
import Logging
import Postgres
import TestSupport
import Testing

@testable import Chaos

extension IntegrationTests {
    /// How soon a job is back at work after its server failed over or its claim's answer was lost: within 3 s.
    ///
    /// `deploy/chaos --recovery` takes more samples and shows their medians.
    @Suite struct RecoveryTests {
        enum Loss: String, CaseIterable {
            case killed, silent
        }

        private static let notes = 200
        private static let goal = Duration.seconds(3)

        /// By a URL that names both servers, the lost one first.
        @Test(arguments: Loss.allCases)
        func aFailover(_ loss: Loss) async throws {
            var waits = RecoveryTimes("failover, \(loss.rawValue) server")
            for _ in 1...RecoveryTimes.samples { waits.add(try await failOver(loss)) }
            waits.show()
            // The machine may be busy with other tests. Ten seconds of waiting for each connection would be more.
            #expect(waits.median < Self.goal * 2, "\(waits)")
        }

        private func failOver(_ loss: Loss) async throws -> Duration {
            let primary = try await PrivateCluster.start()
            var wait = Duration.zero
            try await Installation.with(notes: Self.notes, cluster: primary) { installation in
                try await installation.addUser("ada")
                let standby = try await PrivateCluster.startStandby(of: primary, port: primary.port)
                try await primary.waitForStandby(isSynchronous: false)
                try await primary.setSynchronous(true)
                try await primary.waitForStandby(isSynchronous: true)
                let worker = try await startWorker(installation, servers: [primary, standby])
                let job = try await installation.insertJob("ada")
                try await installation.waitForWrites(10)
                switch loss {
                case .killed: try await primary.stop(mode: .immediate)
                case .silent: try primary.freeze()
                }
                // Nobody notices a loss at once: the time that a failover takes is part of what is tried.
                await Clock.pause(milliseconds: .random(in: 2_000...7_000))
                try await standby.setSynchronous(false)
                try await standby.promote()
                let began = ContinuousClock.now
                let sent = try await installation.peers.requests().writes
                try await installation.waitForWrites(sent + 1)
                wait = .now - began
                try await expectAllWork(installation, on: standby, job)
                #expect(worker.exit == nil)
                try await worker.stop()
                if loss == .silent { try primary.thaw() } else { try await primary.start() }
                try await primary.setSynchronous(false)
                try await standby.remove()
            }
            try await primary.remove()
            return wait
        }

        private func startWorker(
            _ installation: Installation,
            servers: [PrivateCluster]
        ) async throws -> ProgramRun {
            try await installation.peers.setLatency(.milliseconds(80))
            let hosts = servers.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
            let url = "postgresql://postgres@\(hosts)/\(installation.database.name)?application_name=worker"
            return try await installation.startWorker(
                "worker",
                ["DATABASE_URL": url, "SYNC_LEASE": "60s", "SYNC_NOTE_CONCURRENCY": "2"]
            )
        }

        private func expectAllWork(
            _ installation: Installation,
            on server: PrivateCluster,
            _ job: JobID
        ) async throws {
            let pool = PostgresPool(
                configuration: server.configuration(database: installation.database.name),
                size: 2,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            try await eventually(within: .seconds(60), "the end of the job") {
                try await JobClient(pool: pool).job(job)?.status.isFinal ?? false
            }
            let record = try #require(try await JobClient(pool: pool).job(job))
            #expect(record.status == .completed && record.crashes == 0 && record.attempt == 1)
            #expect(try await installation.peers.pages(of: "ada").count == Self.notes, "pages lost or doubled")
            await pool.shutdown()
        }

        @Test func aLostClaim() async throws {
            try await Installation.with(notes: 2) { installation in
                var waits = RecoveryTimes("answer of a claim lost")
                for sample in 1...RecoveryTimes.samples {
                    try await installation.addUser("user-\(sample)")
                    waits.add(try await loseClaim(installation, user: "user-\(sample)"))
                }
                waits.show()
                #expect(waits.median < Self.goal * 2, "\(waits)")
            }
        }

        private func loseClaim(_ installation: Installation, user: String) async throws -> Duration {
            let link = try await FaultyLink.start(to: installation.database.cluster.port)
            // The text of a statement is sent once a connection: this worker's first claim.
            link.holdAnswers(after: "WITH RECURSIVE start")
            let job = try await installation.insertJob(user)
            let url = "postgresql://postgres@127.0.0.1:\(link.port)/\(installation.database.name)"
            let worker = try installation.launchWorker("worker-\(user)", ["DATABASE_URL": url, "SYNC_LEASE": "60s"])
            try await installation.waitForJob(job, "the claim") { $0.status == .running }
            let sent = try await installation.peers.requests().writes
            let began = ContinuousClock.now
            link.cut()
            link.set(.pass)
            try await installation.waitForWrites(sent + 1)
            let wait = ContinuousClock.now - began
            let record = try await installation.waitForJob(job)
            #expect(record.status == .completed && record.crashes == 0 && record.attempt == 1)
            try await worker.stop()
            await link.stop()
            return wait
        }
    }
}
