import FlowControl
import JobQueue
import ServiceHealth

/// What the status page shows.
struct Overview: Sendable {
    /// What the verdict goes by; much of it is shown as well.
    var facts: ServiceFacts
    /// What the backlog can use; nil where that can't be told.
    var useful: UsefulWorkers?
    var running: [JobRecord]
    /// Gates that keep calls of the peers back.
    var gates: [GateRecord]
    /// Failed jobs, and completed ones of which most notes failed.
    var failures: [JobRecord]

    private static let runningShown = 50
    /// Jobs in workers' hands of which the newest are shown.
    private static let heldRead = 1000
    private static let failuresShown = 10
    /// Gates among which those are sought that keep calls back: they come first.
    private static let gatesRead = 50
    /// Newest completed jobs among which those are sought of which most notes failed.
    private static let completedRead = 100
    /// Newest jobs among which both are sought, however many others are queued.
    private static let scanned = 10_000

    /// - Throws: `DatabaseAway`.
    init(_ reader: DatabaseReader, _ facts: ServiceFacts) async throws {
        let jobs = reader.jobs
        self = try await reader.read { pool in
            let completed = try await jobs.recentJobs(
                status: .completed,
                scanned: Self.scanned,
                limit: Self.completedRead
            )
            let failed = try await jobs.page(status: .failed, limit: Self.failuresShown).jobs
            let failures = (failed + completed.filter(\.isMostlyFailed)).sorted { $0.createdAt > $1.createdAt }
            return Overview(
                facts: facts,
                useful: try await pool.unlessDenied { try await pool.usefulWorkers() } ?? nil,
                running: try await Self.running(jobs),
                gates: try await pool.gatesThatHoldBack(limit: Self.gatesRead),
                failures: Array(failures.prefix(Self.failuresShown))
            )
        }
    }

    /// What workers hold, and what was set to running from outside lately.
    private static func running(_ jobs: JobClient) async throws -> [JobRecord] {
        let held = try await jobs.heldJobs(limit: heldRead)
        let known = Set(held.map(\.id))
        let recent = try await jobs.recentJobs(status: .running, scanned: scanned, limit: runningShown)
        let all = held + recent.filter { !known.contains($0.id) }
        return Array(all.sorted { $0.createdAt > $1.createdAt }.prefix(runningShown))
    }

    private init(
        facts: ServiceFacts,
        useful: UsefulWorkers?,
        running: [JobRecord],
        gates: [GateRecord],
        failures: [JobRecord]
    ) {
        self.facts = facts
        self.useful = useful
        self.running = running
        self.gates = gates
        self.failures = failures
    }
}
