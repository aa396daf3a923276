import Foundation
import JobQueue
import Postgres

/// The checks behind `/readyz`, one after the other.
struct Readiness: Sendable {
    struct Check: Sendable {
        let name: String
        /// What is wrong; nil if nothing is.
        let fault: String?
        /// Whether the service does its work all the same.
        var isWarning = false
    }

    let checks: [Check]

    /// Whether there is nothing to say but that.
    var isFaultless: Bool { checks.allSatisfy { $0.fault == nil } }

    var isReady: Bool { checks.allSatisfy { $0.fault == nil || $0.isWarning } }

    init(_ source: StatusSource) async {
        let reader = source.probes
        let age = source.heartbeatAge
        let faults = source.faults
        async let database = faults.fault(of: "database") { try await reader.probe() }
        async let current = faults.fault(of: "migrations") { try await reader.checkMigrations() }
        let shutdown = source.drain.isUnderWay ? [Check(name: "shutdown", fault: "this program is about to stop")] : []
        let (tables, connection) = (await current, await database)
        let first = shutdown + [Check(name: "database", fault: connection), Check(name: "migrations", fault: tables)]
        // What stands in the tables can't be read before they are right, and that is said already.
        guard tables == nil else {
            checks = first
            return
        }
        async let worker = faults.fault(of: "worker") {
            if try await reader.liveWorkers(age: age).isEmpty {
                throw NoWorker(last: try await reader.lastWorker())
            }
        }
        async let notifications = faults.fault(of: "notifications") {
            let deaf = try await reader.liveWorkers(age: age).filter { $0.isListening == false }
            if !deaf.isEmpty { throw DeafWorkers(names: deaf.map(\.name)) }
        }
        async let refused = faults.fault(of: "refused claims") {
            let live = try await reader.liveWorkers(age: age)
            if let since = live.allClaimsFailingSince { throw FailingClaims(since: since) }
        }
        async let held = faults.fault(of: "claims") {
            let live = try await reader.liveWorkers(age: age)
            if let since = live.allClaimsHeldSince {
                throw HeldClaims(since: since, peers: try await reader.failingPeers())
            }
        }
        let (refusedClaims, heldClaims) = (await refused, await held)
        checks =
            first + [
                Check(name: "worker", fault: await worker),
                Check(name: "claims", fault: refusedClaims ?? heldClaims, isWarning: refusedClaims == nil),
                Check(name: "notifications", fault: await notifications, isWarning: true),
            ]
    }

    /// In the form of Kubernetes' own `/readyz?verbose`.
    var text: String {
        let lines = checks.map { check in
            check.fault.map { "\(check.isWarning ? "[!]" : "[-]")\(check.name) failed: \($0)" } ?? "[+]\(check.name) ok"
        }
        return (lines + ["readyz check \(isReady ? "passed" : "failed")", ""]).joined(separator: "\n")
    }
}

private struct NoWorker: Error, CustomStringConvertible {
    let last: LastWorker?

    var description: String { "\(JobText.noWorker(last)); start one (sync-worker)" }
}

private struct HeldClaims: Error, CustomStringConvertible {
    let since: Date
    let peers: [String]

    var description: String { "no worker claims jobs: \(JobText.claimsHeld(since: since, peers: peers))" }
}

private struct FailingClaims: Error, CustomStringConvertible {
    let since: Date

    var description: String { "no worker gets a job: \(JobText.claimsFail(since: since))" }
}

private struct DeafWorkers: Error, CustomStringConvertible {
    let names: [String]

    var description: String {
        "\(names.joined(separator: ", ")): LISTEN can't be had or is not heard; jobs are found by polling every second meanwhile"
    }
}
