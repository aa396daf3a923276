internal import Foundation
internal import Logging
internal import Postgres
internal import Support

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
        /// Whether there was nothing behind it.
        var isAtEnd = false
        /// Whether a claim has found nothing behind it and not looked before it.
        var isHeadOwed = false
        /// Entries of the queue that the next claim reads at least: more and more while few of them can be claimed,
        /// as in a flood of one user's jobs, so that they are parked soon.
        var window = 0

        /// When the head is to be read again.
        ///
        /// What was passed over, or has come before that place, waits so long at most. Longer where the head costs
        /// much, as behind all that an open transaction keeps vacuum from taking out of the index: while there is
        /// enough behind the place, a fiftieth of the time goes there; a worker that finds nothing else can spare a
        /// quarter.
        var headDueAt: ContinuousClock.Instant {
            headReadAt + (isAtEnd ? headCost * 4 : min(max(.seconds(1), headCost * 50), .seconds(10)))
        }
    }

    let configuration: JobWorkerConfiguration
    /// Due jobs that are passed over.
    let refused: RefusedJobs
    /// Told by each claim when the next pause ends.
    let pauseEnds: PauseEnds
    private let place = Mutex<Place?>(nil)
    let numbers: LeaseNumbers
    let pool: PostgresPool
    let logger: Logger
    /// Leases of claims of which a trigger has swallowed some.
    let swallowed = Mutex<[ClosedRange<Int64>]>([])
    let isAnySwallowed = Wakeup()

    /// Widest look into the queue for jobs of users who have none running.
    private static let widestWindow = 1024

    private static func widened(_ window: Int, _ slots: Int) -> Int { min(window * 8, max(widestWindow, slots)) }

    /// A head that takes longer is not read whenever there is nothing behind the place.
    private let cheapHead: Duration

    init(
        pool: PostgresPool,
        configuration: JobWorkerConfiguration,
        numbers: LeaseNumbers = LeaseNumbers(),
        cheapHead: Duration = .milliseconds(50),
        pauseEnds: PauseEnds = PauseEnds(),
        logger: Logger
    ) {
        self.pauseEnds = pauseEnds
        self.pool = pool
        self.cheapHead = cheapHead
        self.numbers = numbers
        self.configuration = configuration
        self.logger = logger
        refused = RefusedJobs(pool: pool, logger: logger)
    }

    /// Claims up to `slots` jobs. Goes on behind what can be neither claimed nor parked, statement by statement, until
    /// it finds one or has read all that is due.
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
                window = Self.widened(window, slots)
                if beganAtHead { next?.headReadAt = .now }
            } else if beganAtHead || putsOffHead() {
                batch.mayBeMore = false
                return batch
            } else {
                // Nothing behind that place; once more from the head.
                beganAtHead = true
            }
            order = try await self.order(slots, window: window, from: next)
        }
    }

    /// Looks for jobs that make claims fail; the next claim passes them over, and begins at the head, where they were
    /// looked for.
    ///
    /// - Parameter isPersistent: whether what should pass has been met again and again.
    /// - Returns: whether there are any.
    /// - Throws: `PostgresError`.
    func findRefused(isPersistent: Bool) async throws -> Bool {
        place.withLock { $0 = nil }
        return try await refused.find(isPersistent: isPersistent)
    }

    /// Whether the database answers, at once.
    func isAnswered() async -> Bool {
        (try? await pool.query(.ping(), timeout: .after(.seconds(1)))) != nil
    }

    /// Wakes another worker, for jobs that this one leaves to it.
    ///
    /// - Returns: whether there is one.
    @discardableResult
    func wakeAnother() async -> Bool {
        do {
            let row = try await pool.query(.wakeAnother(than: configuration.instance)).first
            return try row?.decode("is_woken") ?? false
        } catch {
            logger.debug("No worker was woken; the next poll finds the job.", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// A claim of up to `slots` jobs, to be sent at once. Begins where the last one ended, or at the head when that was
    /// last read too long ago; what is claimed meanwhile goes on from where the last one ended.
    func order(_ slots: Int, now: ContinuousClock.Instant = .now) async throws -> Order {
        let place: Place? = place.withLock { place in
            guard let last = place, now > last.headDueAt else { return place }
            place?.headReadAt = now
            return nil
        }
        return try await order(slots, window: max(slots, place?.window ?? 0), from: place, now: now)
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
                except: refused.current,
                worker: configuration.name,
                firstLease: Lease(leases.lowerBound),
                lease: configuration.lease
            )
        )
    }

    /// What an order has brought, and where the next one may begin: where this one ended, as all that it read is now
    /// claimed, or parked, or another's; nil if there is no more.
    ///
    /// What has been claimed stays in the index until vacuum takes it out; with a transaction open somewhere, that is
    /// long. A claim from the head would pass over all of it, and over what is due and can't be claimed.
    func batch(_ rows: PostgresRows, of order: Order) throws -> (Batch, next: Place?) {
        for row in rows {
            guard let waited = try row.decode("waited", as: Double?.self) else { continue }
            QueueMetrics.claimed(waited: .seconds(waited))
        }
        let entries = try rows.compactMap(ClaimedJob.init).map { job in
            RunningJobs.Entry(job: job, lease: LeaseGuard(validUntil: order.validUntil))
        }
        if try rows.first.map({ try $0.decode("claimed_count", as: Int.self) }) ?? 0 > entries.count {
            swallowed.withLock { $0.append(order.leases) }
            isAnySwallowed.signal()
        }
        pauseEnds.set(in: try rows.first?.decode("pause_ends_in", as: Double?.self) ?? nil)
        let hasMore = try rows.first?.decode("has_more") ?? false
        let position = try rows.first.flatMap(ClaimPosition.init)
        let next = place.withLock { place in
            let last = position ?? (order.place ?? place)?.position
            place = last.map { last in
                Place(
                    position: last,
                    headReadAt: order.place?.headReadAt ?? .now,
                    headCost: order.place?.headCost ?? (.now - order.madeAt),
                    isAtEnd: !hasMore,
                    isHeadOwed: order.place != nil && place?.isHeadOwed ?? false,
                    window: hasMore && entries.count < order.slots ? Self.widened(order.window, order.slots) : 0
                )
            }
            let next = place
            if let found = next, found.isAtEnd, found.headCost <= cheapHead { place = nil }
            return hasMore ? next : nil
        }
        // Behind a place there may be nothing, and something before it.
        return (Batch(jobs: entries, mayBeMore: next != nil || order.place != nil), next)
    }

    /// - Returns: whether what may have come before the place is looked for later, as the head costs much.
    private func putsOffHead() -> Bool {
        place.withLock { place in
            guard let last = place, last.isAtEnd, last.headDueAt > .now else { return false }
            place?.isHeadOwed = true
            return true
        }
    }

    private func send(_ order: Order) async throws -> (Batch, next: Place?) {
        var order = order
        var collisions = 0
        while true {
            do {
                let rows = try await pool.query(order.query, timeout: .after(configuration.claimLimit))
                return try batch(rows, of: order)
            } catch let error as PostgresError where error.isCollision && collisions < 10 {
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

    /// How soon the next claim is to be made, at most `limit`: sooner while a claim may have taken jobs of which nobody
    /// heard, and while there may be some before the place where claims begin.
    func next(atMost limit: Duration) -> Duration {
        let owed = place.withLock { $0 }.flatMap { $0.isHeadOwed ? max($0.headDueAt - .now, .milliseconds(1)) : nil }
        return min(limit, owed ?? limit, numbers.lost.isEmpty ? limit : Self.recheckInterval)
    }

    private static let recheckInterval = Duration.milliseconds(500)
}

extension PostgresError {
    /// Whether a claim has met another's, or waited for a statement from outside that changes what that one took.
    var isCollision: Bool { sqlState == .uniqueViolation || sqlState == .lockNotAvailable }
}
