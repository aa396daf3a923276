package import Postgres
internal import Support

/// The numbers of this worker's leases, of jobs or of deliveries, drawn from the database in blocks before they are
/// used, and the claims whose answers were lost.
package final class LeaseNumbers: Sendable {
    /// A claim whose answer did not come.
    struct LostClaim: Sendable {
        let leases: ClosedRange<Int64>
        /// Until when its leases can be trusted.
        let validUntil: ContinuousClock.Instant
        let lostAt = ContinuousClock.now

        /// How long the server may be at work on it.
        static let recheckPeriod = Duration.seconds(5)

        /// Whether the server can't be at work on it any more.
        var isOver: Bool { lostAt + Self.recheckPeriod < .now }
    }

    private struct State {
        var free: ClosedRange<Int64>?
        var first: Int64?
        var lost: [LostClaim] = []

        mutating func add(_ start: Int64) {
            free = start...start + Int64(LeaseNumbers.block) - 1
            first = min(first ?? start, start)
        }

        mutating func take(_ count: Int) -> ClosedRange<Int64>? {
            guard let range = free, range.count >= count, count > 0 else { return nil }
            let last = range.lowerBound + Int64(count) - 1
            free = last < range.upperBound ? last + 1...range.upperBound : nil
            return range.lowerBound...last
        }
    }

    /// As many as `sync_lease_seq` goes on by.
    static let block = 1024

    private let state = Mutex(State())

    package init() {}

    /// Numbers for as many leases, at most a block.
    package func take(_ count: Int, from pool: PostgresPool) async throws -> ClosedRange<Int64> {
        if let range = state.withLock({ $0.take(count) }) { return range }
        let start = try Self.start(of: try await pool.query(.drawLeases()))
        return state.withLock { state in
            state.add(start)
            return state.take(count) ?? start...start
        }
    }

    /// The smallest number of this process: those of an earlier process of the same name are smaller.
    func first(on connection: LeaseConnection) async throws -> Lease {
        if let first = state.withLock({ $0.first }) { return Lease(first) }
        let start = try Self.start(of: try await connection.query(.drawLeases()))
        return state.withLock { state in
            if state.first == nil { state.add(start) }
            return Lease(state.first ?? start)
        }
    }

    private static func start(of rows: PostgresRows) throws -> Int64 {
        guard let row = rows.first else {
            throw PostgresError(.decodingFailed, "The sequence of leases gave no number")
        }
        return Self.start(ofBlock: try row.decode("first"))
    }

    /// The first lease of the block that a number of the sequence stands for: the number of the block, random digits,
    /// those of the lease in its block. Numbers of later blocks are greater.
    ///
    /// After a failover to a server that had not received all of it the sequence gives numbers a second time. Without
    /// the random digits two workers could have equal leases, of the same job too, and each take the other's for its
    /// own.
    static func start(ofBlock number: Int64) -> Int64 {
        // Never 0, and nothing that a sequence can be set to ends the process.
        (number / Int64(block)) &<< 26 | Int64.random(in: 1..<1 << 16) << 10
    }

    /// Remembers a claim whose answer did not come: it may have taken jobs, which are then this worker's.
    func lose(_ leases: ClosedRange<Int64>, validUntil: ContinuousClock.Instant) {
        state.withLock { $0.lost.append(LostClaim(leases: leases, validUntil: validUntil)) }
    }

    var lost: [LostClaim] { state.withLock { $0.lost } }

    func forget(_ claim: LostClaim) {
        state.withLock { $0.lost.removeAll { $0.leases == claim.leases } }
    }
}
