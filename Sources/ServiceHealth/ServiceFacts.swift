package import FlowControl
package import Foundation
package import JobQueue

/// What the verdict goes by: all of it stands in the database, but for what the caller knows of the peers.
package struct ServiceFacts: Sendable {
    /// By the database's clock.
    package var now: Date
    /// Why the tables do not fit this program; nil: they do. Where they do not, nothing else is known.
    package var schemaFault: SchemaFault?
    /// Whether sessions of the server begin read-only by a setting that is not a role's.
    package var isReadOnly = false
    package var workers: [WorkerRecord] = []
    /// Where none is there, the one that was last.
    package var lastWorker: LastWorker?
    package var depth = QueueDepth()
    package var waiting = WaitingJobs()
    package var throughput = Throughput()
    /// What is paused, of everything and of peers first, at most ``pausesRead`` of them.
    package var pauses: [Pause] = []
    /// How many users are paused.
    package var pausedUsers = 0
    /// Gates of peers that let no call pass.
    package var closedGates: [ClosedGate] = []
    /// The gates of peers for which workers may hold their claims.
    package var failingPeers: [String] = []
    /// Peers whose health route does not answer.
    package var peerFaults: [PeerFault] = []
    /// Failed jobs of the last day whose users have had no job since.
    package var failures = OpenFailures()
    package var alerts: [OpenAlerts] = []
    /// How full the server's queue of notifications is, from 0 to 1.
    package var notificationQueueUsage = 0.0

    package static let pausesRead = 50

    package init(now: Date) { self.now = now }

    /// Why the tables do not fit.
    package struct SchemaFault: Sendable {
        package var reason: String
        /// Whether migrating is all it takes.
        package var isPendingOnly: Bool
    }

    /// A peer that does not say that it is well.
    package struct PeerFault: Sendable {
        package let peer: Peer
        package let since: Date?
        /// What its health route answers or fails with; nil: not known.
        package let reason: String?

        package init(peer: Peer, since: Date?, reason: String?) {
            self.peer = peer
            self.since = since
            self.reason = reason
        }
    }

    /// The workers that are there.
    var present: [WorkerRecord] { workers.filter { !$0.isSilent } }

    /// Workers that have stopped answering and that none of the same name has replaced.
    var lost: [WorkerRecord] {
        let names = Set(present.map(\.name))
        return workers.filter { $0.isSilent && !names.contains($0.name) }
    }
}
