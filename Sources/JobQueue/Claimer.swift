internal import Foundation
internal import Logging
internal import Postgres
internal import Synchronization

/// Takes due jobs from the queue.
final class Claimer: Sendable {
    struct Batch: Sendable {
        var jobs: [RunningJobs.Entry]
        /// Whether there may be more due jobs than were taken.
        var mayBeMore: Bool
    }

    /// A claim that is about to be sent.
    struct Order: Sendable {
        let slots: Int
        /// Entries of the queue it reads at most.
        let window: Int
        /// Where in the queue it begins; nil for the head.
        let place: Place?
        let madeAt: ContinuousClock.Instant
        /// Until when the leases that it takes can be trusted.
        let validUntil: ContinuousClock.Instant
        /// The numbers it may give to its leases.
        let leases: ClosedRange<Int64>
        let query: PostgresQuery

        var position: ClaimPosition? { place?.position }
    }

    /// Where a claim goes on from.
    struct Place: Sendable {
        var position: ClaimPosition
        /// When the head was last read, or a walk from it last went on.
        var headReadAt: ContinuousClock.Instant
        /// How long that took.
        var headCost: Duration
    }

    private let pool: PostgresPool
    private let configuration: JobWorkerConfiguration
    private let logger: Logger
    private let place = Mutex<Place?>(nil)
    private let numbers: LeaseNumbers

    /// Widest look into the queue for jobs of users who have none running.
    private static let widestWindow = 1024
    /// How long claims from a deep queue go on from where the last one ended. What was passed over, or has come before that
    /// place, waits so long at most, and only while there is enough behind it. Longer where the head costs much, as behind all that
    /// an open transaction keeps vacuum from taking out of the index: a twentieth of the time goes there.
    private static func headInterval(_ cost: Duration) -> Duration { min(max(.seconds(1), cost * 20), .seconds(10)) }

    init(
        pool: PostgresPool,
        configuration: JobWorkerConfiguration,
        numbers: LeaseNumbers = LeaseNumbers(),
        logger: Logger
    ) {
        self.pool = pool
        self.numbers = numbers
        self.configuration = configuration
        self.logger = logger
    }

    /// Claims up to `slots` jobs. Goes on behind what can be neither claimed nor parked, statement by statement, until it finds
    /// one or has read all that is due.
    ///
    /// Jobs that an earlier claim took whose answer was lost come first.
    func claim(_ slots: Int) async throws -> Batch {
        if let found = try await recover() { return found }
        var window = slots
        var order = try await order(slots)
        var beganAtHead = order.place == nil
        while true {
            var (batch, next) = try await send(order)
            if !batch.jobs.isEmpty { return batch }
            if next != nil {
                window = min(window * 8, max(Self.widestWindow, slots))
                if beganAtHead { next?.headReadAt = .now }
            } else if beganAtHead {
                batch.mayBeMore = false
                return batch
            } else {
                // Nothing behind that place; once more from the head.
                beganAtHead = true
            }
            order = try await self.order(slots, window: window, from: next)
        }
    }

    /// A claim of up to `slots` jobs, to be sent at once. Begins where the last one ended, unless that is too long ago.
    func order(_ slots: Int, now: ContinuousClock.Instant = .now) async throws -> Order {
        let place = place.withLock { place in
            if let last = place, now - last.headReadAt > Self.headInterval(last.headCost) { place = nil }
            return place
        }
        return try await order(slots, window: slots, from: place, now: now)
    }

    private func order(
        _ slots: Int,
        window: Int,
        from place: Place?,
        now: ContinuousClock.Instant = .now
    ) async throws -> Order {
        let slots = min(slots, LeaseNumbers.block)
        let leases = try await numbers.take(slots, from: pool)
        return Order(
            slots: slots,
            window: window,
            place: place,
            madeAt: now,
            validUntil: now + configuration.trustedLease,
            leases: leases,
            query: .claim(
                slots: slots,
                window: window,
                after: place?.position,
                worker: configuration.name,
                firstLease: Lease(leases.lowerBound),
                lease: configuration.lease
            )
        )
    }

    /// What an order has brought, and where the next one may begin: where this one ended, as all that it read is now claimed,
    /// or parked, or another's; nil if there is no more.
    ///
    /// What has been claimed stays in the index until vacuum takes it out; with a transaction open somewhere, that is long. A
    /// claim from the head would pass over all of it, and over what is due and can't be claimed.
    func batch(_ rows: PostgresRows, of order: Order) throws -> (Batch, next: Place?) {
        for row in rows {
            guard let waited = try row.decode("waited", as: Double?.self) else { continue }
            QueueMetrics.claimed(waited: .seconds(waited))
        }
        let entries = try rows.compactMap(ClaimedJob.init).map { job in
            RunningJobs.Entry(job: job, lease: LeaseGuard(validUntil: order.validUntil))
        }
        let next = try rows.first.flatMap(ClaimPosition.init).map { position in
            Place(
                position: position,
                headReadAt: order.place?.headReadAt ?? .now,
                headCost: order.place?.headCost ?? (.now - order.madeAt)
            )
        }
        place.withLock { $0 = next }
        // Behind a place there may be nothing, and something before it.
        return (Batch(jobs: entries, mayBeMore: next != nil || order.place != nil), next)
    }

    private func send(_ order: Order) async throws -> (Batch, next: Place?) {
        var order = order
        var collisions = 0
        while true {
            do {
                return try batch(
                    try await pool.query(order.query, timeout: .after(configuration.claimLimit)),
                    of: order
                )
            } catch let error as PostgresError where error.sqlState == .uniqueViolation && collisions < 10 {
                // Another worker began a job of one of these users since our snapshot; a new one sees it.
                collisions += 1
                logger.trace("claim met another worker's; claiming again")
                order = try await self.order(order.slots, window: order.window, from: order.place)
            } catch {
                lose(order)
                throw error
            }
        }
    }

    // MARK: Claims whose answers were lost

    /// Remembers a claim whose answer did not come.
    func lose(_ order: Order) {
        numbers.lose(order.leases, validUntil: order.validUntil)
    }

    /// How soon the next claim is to be made, at most `limit`: while a claim may have taken jobs of which nobody heard.
    func next(atMost limit: Duration) -> Duration {
        numbers.lost.isEmpty ? limit : min(limit, Self.recheckInterval)
    }

    private static let recheckInterval = Duration.milliseconds(500)

    /// The jobs of a claim whose answer was lost; nil if there are none.
    ///
    /// The server may still be at work on a claim whose connection has ended, so it is asked for a while.
    private func recover() async throws -> Batch? {
        for claim in numbers.lost {
            let isOver = claim.isOver
            let jobs = try await pool.query(.claimed(with: claim.leases)).compactMap(ClaimedJob.init).map { job in
                RunningJobs.Entry(job: job, lease: LeaseGuard(validUntil: claim.validUntil))
            }
            if isOver || !jobs.isEmpty { numbers.forget(claim) }
            guard !jobs.isEmpty else { continue }
            logger.notice("Found the jobs of a claim whose answer was lost.", metadata: ["jobs": "\(jobs.count)"])
            return Batch(jobs: jobs, mayBeMore: true)
        }
        return nil
    }
}
