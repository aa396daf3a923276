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
        let position: ClaimPosition?
        /// When the head was last read.
        let headReadAt: ContinuousClock.Instant
        /// Until when the leases that it takes can be trusted.
        let validUntil: ContinuousClock.Instant
        /// The numbers it may give to its leases.
        let leases: ClosedRange<Int64>
        let query: PostgresQuery
    }

    private struct Place {
        var position: ClaimPosition
        var headReadAt: ContinuousClock.Instant
    }

    private let pool: PostgresPool
    private let configuration: JobWorkerConfiguration
    private let logger: Logger
    private let place = Mutex<Place?>(nil)
    private let numbers = Mutex(LeaseNumbers())

    /// Widest look into the queue for jobs of users who have none running.
    private static let widestWindow = 1024
    /// How long claims from a deep queue go on from where the last one ended. What was passed over, or has come before that
    /// place, waits so long at most, and only while there is enough behind it.
    private static let headInterval = Duration.seconds(1)

    init(pool: PostgresPool, configuration: JobWorkerConfiguration, logger: Logger) {
        self.pool = pool
        self.configuration = configuration
        self.logger = logger
    }

    /// Claims up to `slots` jobs. Looks further only when the head of the queue belongs to busy users.
    ///
    /// Jobs that an earlier claim took whose answer was lost come first.
    func claim(_ slots: Int) async throws -> Batch {
        if let found = try await recover() { return found }
        var window = slots
        while true {
            let order = try await order(slots, window: window)
            let (batch, hasMore) = try await send(order)
            if !batch.jobs.isEmpty { return batch }
            if !hasMore {
                guard order.position != nil else { return batch }
                // Nothing behind that place; once more from the head.
            } else if window < Self.widestWindow {
                window = min(window * 8, Self.widestWindow)
            } else {
                return batch
            }
        }
    }

    /// A claim of up to `slots` jobs, to be sent at once.
    func order(_ slots: Int, window: Int? = nil, now: ContinuousClock.Instant = .now) async throws -> Order {
        let slots = min(slots, LeaseNumbers.block)
        let leases = try await leases(slots)
        let place = place.withLock { place in
            if let headReadAt = place?.headReadAt, now - headReadAt > Self.headInterval { place = nil }
            return place
        }
        return Order(
            slots: slots,
            window: window ?? slots,
            position: place?.position,
            headReadAt: place?.headReadAt ?? now,
            validUntil: now + configuration.trustedLease,
            leases: leases,
            query: .claim(
                slots: slots,
                window: window ?? slots,
                after: place?.position,
                worker: configuration.name,
                firstLease: Lease(leases.lowerBound),
                lease: configuration.lease
            )
        )
    }

    /// What an order has brought.
    func batch(_ rows: PostgresRows, of order: Order) throws -> (Batch, hasMore: Bool) {
        for row in rows {
            guard let waited = try row.decode("waited", as: Double?.self) else { continue }
            QueueMetrics.claimed(waited: .seconds(waited))
        }
        let entries = try rows.compactMap(ClaimedJob.init).map { job in
            RunningJobs.Entry(job: job, lease: LeaseGuard(validUntil: order.validUntil))
        }
        let hasMore: Bool = try rows.first?.decode("has_more") ?? false
        try remember(rows, of: order)
        // Behind a place there may be nothing, and something before it.
        return (Batch(jobs: entries, mayBeMore: hasMore || order.position != nil), hasMore)
    }

    /// Keeps the place where the next claim may begin: where this one ended, if all that it read is now claimed, or parked, or
    /// another's, and there is more.
    ///
    /// What has been claimed stays in the index until vacuum takes it out; with a transaction open somewhere, that is long. A
    /// claim from the head would pass over all of it.
    private func remember(_ rows: PostgresRows, of order: Order) throws {
        let last = try rows.first.flatMap(ClaimPosition.init)
        place.withLock { place in
            guard let last, order.window == order.slots else {
                place = nil
                return
            }
            place = Place(position: last, headReadAt: order.headReadAt)
        }
    }

    private func send(_ order: Order) async throws -> (Batch, hasMore: Bool) {
        var order = order
        var collisions = 0
        while true {
            do {
                return try batch(try await pool.query(order.query), of: order)
            } catch let error as PostgresError where error.sqlState == .uniqueViolation && collisions < 10 {
                // Another worker began a job of one of these users since our snapshot; a new one sees it.
                collisions += 1
                logger.trace("claim met another worker's; claiming again")
                order = try await self.order(order.slots, window: order.window)
            } catch {
                lose(order)
                throw error
            }
        }
    }

    // MARK: Numbers of leases

    /// Numbers for as many leases.
    private func leases(_ count: Int) async throws -> ClosedRange<Int64> {
        if let range = numbers.withLock({ $0.take(count) }) { return range }
        let first: Int64 = try await pool.query(.drawLeases()).first?.decode("first") ?? 0
        return numbers.withLock { numbers in
            numbers.add(first)
            return numbers.take(count) ?? first...first
        }
    }

    /// Remembers a claim whose answer did not come: it may have taken jobs, which are then this worker's.
    func lose(_ order: Order) {
        numbers.withLock { $0.lost.append(LostClaim(leases: order.leases, validUntil: order.validUntil)) }
    }

    /// The jobs of a claim whose answer was lost; nil if there are none.
    ///
    /// The server may still be at work on a claim whose connection has ended, so it is asked for a while.
    private func recover() async throws -> Batch? {
        let lost = numbers.withLock { $0.lost }
        for claim in lost {
            let jobs = try await pool.query(.claimed(with: claim.leases)).compactMap(ClaimedJob.init).map { job in
                RunningJobs.Entry(job: job, lease: LeaseGuard(validUntil: claim.validUntil))
            }
            let isOver = claim.lostAt + LostClaim.recheckPeriod < .now
            if isOver || !jobs.isEmpty { numbers.withLock { $0.lost.removeAll { $0.leases == claim.leases } } }
            guard !jobs.isEmpty else { continue }
            logger.notice("Found the jobs of a claim whose answer was lost.", metadata: ["jobs": "\(jobs.count)"])
            return Batch(jobs: jobs, mayBeMore: true)
        }
        return nil
    }
}

/// A claim whose answer did not come.
private struct LostClaim {
    let leases: ClosedRange<Int64>
    /// Until when its leases can be trusted.
    let validUntil: ContinuousClock.Instant
    let lostAt = ContinuousClock.now

    /// How long the server may be at work on it.
    static let recheckPeriod = Duration.seconds(5)
}

/// Numbers for leases, drawn from the database in blocks.
private struct LeaseNumbers {
    /// As many as `sync_lease_seq` goes on by.
    static let block = 1024

    private var free: ClosedRange<Int64>?
    var lost: [LostClaim] = []

    mutating func add(_ first: Int64) {
        free = first...first + Int64(Self.block) - 1
    }

    mutating func take(_ count: Int) -> ClosedRange<Int64>? {
        guard let range = free, range.count >= count, count > 0 else { return nil }
        let last = range.lowerBound + Int64(count) - 1
        free = last < range.upperBound ? last + 1...range.upperBound : nil
        return range.lowerBound...last
    }
}
