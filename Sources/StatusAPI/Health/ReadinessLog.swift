import Logging
import Postgres
import ServiceHealth
import Support

/// What keeps the service from being ready: in general terms for whoever asks, in detail in the log, once each time it
/// changes.
///
/// A failure of the database names its host, user and name, and `/readyz` answers everybody.
final class ReadinessLog: Sendable {
    private let logger: Logger
    private let logged = Mutex<[String: String]>([:])

    init(logger: Logger) {
        self.logger = logger
    }

    /// Makes a check.
    ///
    /// - Returns: what is wrong, as anybody may read it; nil if nothing is.
    func fault(of name: String, _ check: () async throws -> Void) async -> String? {
        do {
            try await check()
            note(name, nil)
            return nil
        } catch is CancellationError {
            return "the check was broken off"
        } catch {
            note(name, "\(error)")
            return Self.publicText(of: error)
        }
    }

    private func note(_ name: String, _ fault: String?) {
        let isNew = logged.withLock { logged in
            defer { logged[name] = fault }
            return logged[name] != fault
        }
        guard isNew, let fault else { return }
        logger.warning("Not ready.", metadata: ["check": "\(name)", "error": "\(fault)"])
    }

    private static func publicText(of error: any Error) -> String {
        switch error {
        case is TimeLimitPassed:
            "the database does not answer; this program's log has the details"
        case let error as PostgresError where error.isOfMigrations:
            error.description
        case is PostgresError:
            "\(DatabaseAway(cause: error).detail); this program's log has the details"
        default:
            "\(error)"
        }
    }
}
