import Postgres

/// The checks behind `/readyz`, one after the other.
struct Readiness: Sendable {
    struct Check: Sendable {
        let name: String
        /// What is wrong; nil if nothing is.
        let fault: String?
    }

    let checks: [Check]

    var isReady: Bool { checks.allSatisfy { $0.fault == nil } }

    init(_ source: StatusSource) async {
        let reader = source.reader
        let age = source.heartbeatAge
        async let database = Self.fault { try await reader.probe() }
        async let migrations = Self.fault { try await reader.checkMigrations() }
        async let worker = Self.fault {
            if try await reader.liveWorkers(age: age) == 0 {
                throw NoWorker(age: age)
            }
        }
        let shutdown = Check(name: "shutdown", fault: "this program is about to stop")
        checks =
            (source.drain.isUnderWay ? [shutdown] : []) + [
                Check(name: "database", fault: await database),
                Check(name: "migrations", fault: await migrations),
                Check(name: "worker", fault: await worker),
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
            check.fault.map { "[-]\(check.name) failed: \($0)" } ?? "[+]\(check.name) ok"
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
