import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Starts while commits wait for a standby that does not come.
    @Suite struct IntakeDurabilityTests {
        /// Each try of the intake is given up after a second, and leaves a row that only this server has.
        @Test(arguments: [false, true]) func aStartIsAnsweredOnceAStandbyHasIt(hasRow: Bool) async throws {
            let cluster = try await PrivateCluster.start()
            try await Installation.with(notes: 1, cluster: cluster) { installation in
                try await installation.addUser("ada")
                let gateway = Gateway(pool: installation.pool, service: try await installation.startIntake("intake"))
                let id = JobID()
                if hasRow { try await gateway.insert(id, user: "ada", full: false) }
                try await cluster.setSynchronous(true)
                let unsure = try await gateway.post(id, user: "ada")
                #expect(unsure.status == 503 && unsure.text.contains("may have been made"), "\(unsure)")
                #expect(try await installation.job(id).status == .queued, "it is there all the same")
                // The same once more finds the row, and claims no more than the first.
                #expect(try await gateway.post(id, user: "ada").status == 503)
                try await cluster.setSynchronous(false)
                #expect(try await gateway.post(id, user: "ada").status == 200)
                #expect(try await installation.count("SELECT count(*) FROM sync_jobs") == 1)
            }
            try await cluster.remove()
        }
    }
}
