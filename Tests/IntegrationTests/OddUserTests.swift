import FlowControl
import Foundation
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Users whose notes or accounts a peer can do nothing with, alone with it.
    @Suite struct OddUserTests {
        private static let users = ["odd-1", "odd-2", "odd-3"]

        private static func openings(_ gate: GateName, _ installation: Installation) async throws -> Int {
            try await installation.count(
                "SELECT count(*) FROM sync_gates WHERE gate = \(gate) AND (opened_at IS NOT NULL OR recovered_at IS NOT NULL)"
            )
        }

        /// Nobody else's calls show that the peer is well: it says so itself.
        @Test(arguments: [("writer", "create"), ("extractor", "notes")])
        func theirFaultsAreNoOutage(_ peer: String, _ operation: String) async throws {
            try await Installation.with(notes: 4) { installation in
                try await installation.peers.setFaults(
                    #"{"peer":"\#(peer)","operation":"\#(operation)","fault":{"kind":"message","message":"'NoneType' is odd"}}"#
                )
                for user in Self.users { try await installation.addUser(user, notionToken: "ntn_\(user)") }
                try await installation.startWorker(
                    "worker",
                    [
                        "SYNC_BREAKER_FAILURES": "3", "SYNC_BREAKER_COOLDOWN": "500ms", "SYNC_JOB_BACKOFF_BASE": "2s",
                        "SYNC_JOB_BACKOFF_CAP": "5s", "SYNC_UNKNOWN_COOLDOWN": "2s",
                    ]
                )
                for user in Self.users { try await installation.insertJob(user) }
                try await eventually(within: .seconds(60), "attempts of all of them") {
                    try await installation.count("SELECT count(*) FROM sync_jobs WHERE attempt > 1") == Self.users.count
                }
                let gate = GateName(peer == "writer" ? .notionWriter : .keepExtractor)
                #expect(try await Self.openings(gate, installation) == 0)
            }
        }
    }
}
