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

    var isReady: Bool { checks.allSatisfy { $0.fault == nil || $0.isWarning } }

    init(_ source: StatusSource) async {
        let reader = source.reader
        let age = source.heartbeatAge
        async let database = Self.fault { try await reader.probe() }
        async let migrations = Self.fault { try await reader.checkMigrations() }
        async let worker = Self.fault {
            if try await reader.liveWorkers(age: age).isEmpty {
                throw NoWorker(age: age)
            }
        }
        async let notifications = Self.fault {
            let deaf = try await reader.liveWorkers(age: age).filter { $0.isListening == false }
            if !deaf.isEmpty { throw DeafWorkers(names: deaf.map(\.name)) }
        }
        let shutdown = Check(name: "shutdown", fault: "this program is about to stop")
        checks =
            (source.drain.isUnderWay ? [shutdown] : []) + [
                Check(name: "database", fault: await database),
                Check(name: "migrations", fault: await migrations),
                Check(name: "worker", fault: await worker),
                Check(name: "notifications", fault: await notifications, isWarning: true),
            ]
    }

    private static func fault(_ check: () async throws -> Void) async -> String? {
        do {
            try await check()
            return nil
        } catch is TimeLimitPassed {
            return "the database does not answer"
        } catch {
            return "\(error)"
        }
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
    let age: Duration

    var description: String {
        "no worker was seen in the last \(age.components.seconds) s; start one (sync-worker)"
    }
}

private struct DeafWorkers: Error, CustomStringConvertible {
    let names: [String]

    var description: String {
        "\(names.joined(separator: ", ")): LISTEN can't be had or is not heard; jobs are found by polling every second meanwhile"
    }
}
