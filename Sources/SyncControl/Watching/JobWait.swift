import FlowControl
import Foundation
import JobQueue
import Postgres

/// What a queued job waits for, with what the queue alone does not know.
enum JobWait: Sendable {
    case hold(JobHold)
    /// The end of a pause that is over: the job is brought back within half a lease.
    case endedPause(Pause)
    /// A peer that is out of order. Nobody knows when it is back; the job is due for the next look at it.
    case outage(gate: String, nextLook: Date)

    /// Finds it out; nil for a job that is not queued.
    ///
    /// - Throws: `PostgresError`.
    static func of(_ id: JobID, _ pool: PostgresPool) async throws -> JobWait? {
        let jobs = JobClient(pool: pool)
        guard let hold = try await jobs.hold(on: id) else { return nil }
        switch hold {
        case .slot:
            return try await jobs.endedPause(keeping: id).map(JobWait.endedPause) ?? .hold(hold)
        case .gate(let gate, let time):
            // Those of the peers come first.
            let peers = try await GateList(pool: pool).gates(isComplete: true, limit: Peer.allCases.count)
            let isOutage = peers.contains { $0.name.rawValue == gate && $0.openedAt != nil }
            return isOutage ? .outage(gate: gate, nextLook: time) : .hold(hold)
        case .paused, .due, .running:
            return .hold(hold)
        }
    }

    /// Why the job does not run, and what shows more of it.
    var text: String {
        switch self {
        case .hold(let hold): hold.text
        case .endedPause(let pause):
            "its turn after a pause that is over; a worker brings it back within half of SYNC_LEASE. The pause was: "
                + pause.text
        case .outage(let gate, let time):
            "the gate \(gate), which is out of order; looked at again \(TimeText.full(time)); see syncctl gates"
        }
    }

    /// The same for the line of a job that is watched; nil: its row says as much.
    var watchedText: String? {
        switch self {
        case .hold(.slot), .hold(.due): nil
        case .hold, .endedPause, .outage: "waits for \(text)"
        }
    }

    var json: JSONValue {
        switch self {
        case .hold(let hold): hold.json
        case .endedPause(let pause): ["kind": "ended_pause", "pause": pause.json]
        case .outage(let gate, let time): ["kind": "outage", "gate": .string(gate), "next_look_at": .time(time)]
        }
    }
}
