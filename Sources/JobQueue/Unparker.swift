internal import Logging
internal import Postgres
internal import Support

/// Brings back parked jobs whose records were locked when the run before them ended.
///
/// A claim holds the record of each job it considers for some milliseconds, also of one that another claim has just
/// parked. Whoever ends the run of that user passes such a job over, as it never waits for a lock, and nobody else
/// comes by before the rescuer. So it is tried again soon, then less often, as a person may hold the record for long.
final class Unparker: Sendable {
    private let pool: PostgresPool
    private let wake: Wakeup
    private let logger: Logger
    private let owed = Mutex<Set<UserID>>([])
    private let arrived = Wakeup()

    private static let delays = Backoff(base: .milliseconds(2), cap: .milliseconds(250))
    /// Tries before it is left to the rescuer: some five seconds.
    private static let tries = 25

    init(pool: PostgresPool, wake: Wakeup, logger: Logger) {
        self.pool = pool
        self.wake = wake
        self.logger = logger
    }

    /// - Parameter users: whose next parked job was passed over.
    func add(_ users: [UserID]) {
        guard !users.isEmpty else { return }
        owed.withLock { $0.formUnion(users) }
        arrived.signal()
    }

    func run() async {
        while !Task.isCancelled {
            guard await arrived.wait(atMost: .seconds(3600)) else { continue }
            var users: Set<UserID> = []
            var retry = 0
            repeat {
                // Cancellation ends both loops.
                try? await DeadlineQueue.shared.sleep(for: Self.delays.ceiling(retry: retry))
                users.formUnion(
                    owed.withLock { owed in
                        defer { owed = [] }
                        return owed
                    }
                )
                users = await bringBack(users)
                retry += 1
            } while !users.isEmpty && retry < Self.tries && !Task.isCancelled
        }
    }

    /// - Returns: whose parked jobs are locked still.
    private func bringBack(_ users: Set<UserID>) async -> Set<UserID> {
        do {
            let unparked = try UnparkedJobs(await pool.query(.unparkNext(of: Array(users), wakes: true)))
            if unparked.areDue { wake.signal() }
            return Set(unparked.passedOver)
        } catch {
            logger.debug("Parked jobs could not be brought back; trying again.", metadata: ["error": "\(error)"])
            return users
        }
    }
}

/// What ``PostgresQuery/unparkNext(of:wakes:)`` has brought back.
struct UnparkedJobs: Sendable {
    /// Whether there is a job among them that is due.
    var areDue = false
    /// Users whose parked jobs are all locked by somebody.
    var passedOver: [UserID] = []

    init(_ rows: PostgresRows) throws {
        for row in rows {
            switch try row.decode("is_due", as: Bool?.self) {
            case true?: areDue = true
            case false?: break
            case nil: passedOver.append(UserID(try row.decode("user_id")))
            }
        }
    }
}
