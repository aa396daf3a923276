import Foundation
import JobQueue
import Postgres
import ServiceHealth

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
            if let fault = try await reader.verdictOnWorkers().finding(.noWorker) { throw Found(finding: fault) }
        }
        async let notifications = faults.fault(of: "notifications") {
            if let fault = try await reader.verdictOnWorkers().finding(.workersDeaf) { throw Found(finding: fault) }
        }
        async let refused = faults.fault(of: "refused claims") {
            if let fault = try await reader.verdictOnWorkers().finding(.claimsFailing) { throw Found(finding: fault) }
        }
        async let held = faults.fault(of: "claims") {
            if let fault = try await reader.verdictOnWorkers().finding(.claimsHeld) { throw Found(finding: fault) }
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

/// What the verdict says of a check.
private struct Found: Error, CustomStringConvertible {
    let finding: Finding

    var description: String {
        finding.text + (finding.command.map { " Run: \($0)" } ?? "")
    }
}
