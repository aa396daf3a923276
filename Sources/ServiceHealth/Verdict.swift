package import Foundation
package import JobQueue

/// How bad something is that was found.
package enum Severity: String, Comparable, Sendable, CaseIterable {
    case ok, warning, wrong

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    package static func < (first: Severity, second: Severity) -> Bool { first.rank < second.rank }
}

/// One thing that is so: what is wrong, or how the work goes.
package struct Finding: Equatable, Sendable {
    /// A word for programs, which stays. Of two that are equally bad the first here is said first.
    package enum Code: String, Sendable, CaseIterable {
        case databaseAway = "database_away"
        case schemaNotCurrent = "schema_not_current"
        case databaseReadOnly = "database_read_only"
        case installationKeyMissing = "installation_key_missing"
        case noWorker = "no_worker"
        case claimsFailing = "claims_failing"
        case peerOutOfOrder = "peer_out_of_order"
        case peerDown = "peer_down"
        case claimsHeld = "claims_held"
        case everythingPaused = "everything_paused"
        case gateClosed = "gate_closed"
        case slotsFull = "slots_full"
        case jobsNotTaken = "jobs_not_taken"
        case jobsFailed = "jobs_failed"
        case workerSilent = "worker_silent"
        case usersPaused = "users_paused"
        case alertsOpen = "alerts_open"
        case unknownWrites = "unknown_writes"
        case workersDeaf = "workers_deaf"
        case notificationQueue = "notification_queue"
        /// What waits, and for what: always there where the database can be read.
        case work
    }

    package let code: Code
    package let severity: Severity
    /// What is so, without the full stop.
    package let sentence: String
    package var since: Date?
    /// What a person should do, without the full stop; nil: nothing.
    package var advice: String?
    /// What does it, to be pasted; nil: no command does.
    package var command: String?
    /// The user whom sentence or command name.
    package var user: UserID?

    /// What is so and what to do, in sentences.
    package var text: String {
        [sentence, advice].compactMap(\.self).map { $0 + "." }.joined(separator: " ")
    }
}

/// How the service is, in one line: what is wrong and what to do, the worst first.
///
/// Pure rules over ``ServiceFacts``. The page's first line, `/health`, `/readyz` and `syncctl doctor` all say what these
/// rules find, so that none contradicts another.
package struct Verdict: Sendable {
    /// The worst first; never empty.
    package let findings: [Finding]

    package init(_ facts: ServiceFacts) {
        let found = Rules(facts: facts).findings
        let order = Dictionary(
            uniqueKeysWithValues: Finding.Code.allCases.enumerated().map { ($0.element, $0.offset) }
        )
        findings = found.sorted { first, second in
            first.severity != second.severity
                ? first.severity > second.severity : order[first.code, default: 0] < order[second.code, default: 0]
        }
    }

    /// The verdict where the database can't be asked.
    ///
    /// - Parameter reason: what keeps it from answering, and what to do, without the full stop.
    package init(databaseAway reason: String, advice: String? = nil) {
        findings = [
            Finding(code: .databaseAway, severity: .wrong, sentence: reason, advice: advice)
        ]
    }

    /// What is said first.
    package var headline: Finding { findings[0] }
    package var severity: Severity { headline.severity }

    /// The finding with a code; nil: it is not so.
    package func finding(_ code: Finding.Code) -> Finding? { findings.first { $0.code == code } }

    /// The findings but how the work goes, where something is wrong.
    package var faults: [Finding] { findings.filter { $0.severity > .ok } }
}
