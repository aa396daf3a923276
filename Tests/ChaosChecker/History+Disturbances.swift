extension History {
    /// A disturbance of a worker's own doing or of its way to the others: an answer within it may be lost or late.
    public struct Disturbance: Sendable, Codable {
        /// nil: of all workers, as a restart of the database.
        public var worker: String?
        public var from: Instant
        public var until: Instant
        /// Whether new connections were not affected.
        public var sparesNew: Bool

        public init(worker: String?, from: Instant, until: Instant, sparesNew: Bool = false) {
            self.worker = worker
            self.from = from
            self.until = until
            self.sparesNew = sparesNew
        }
    }

    /// A transaction of somebody else that has locked a job's record.
    public struct OpenTransaction: Sendable, Codable {
        public var job: String
        public var from: Instant
        public var until: Instant

        public init(job: String, from: Instant, until: Instant) {
            self.job = job
            self.from = from
            self.until = until
        }
    }

    /// The database refuses that a worker records the end of a job.
    public struct Refusal: Sendable, Codable {
        public var lease: Int
        public var worker: String
        public var at: Instant

        public init(lease: Int, worker: String, at: Instant) {
            self.lease = lease
            self.worker = worker
            self.at = at
        }

        /// Reads a line of the server's log; nil for any other.
        public init?(_ line: String) {
            guard let range = line.firstRange(of: "ERROR:  chaos refuses ") else { return nil }
            let words = line[range.upperBound...].split(separator: " ")
            guard words.count == 3, let lease = Int(words[0]), let at = Instant(words[2]) else { return nil }
            self.init(lease: lease, worker: String(words[1]), at: at)
        }
    }

    /// The loss of the database's server, and of all that the one in its place had not received.
    public struct Failover: Sendable, Codable {
        public var lostAt: Instant
        /// When the other took writes.
        public var promotedAt: Instant
        /// Whether a commit waited until the other had it.
        public var isSynchronous: Bool
        /// What the lost server knew and those after it don't.
        public var lostChanges: [Change] = []
        /// When each lease ran out, as the lost server knew.
        public var leases: [Int: Instant] = [:]

        public init(lostAt: Instant, promotedAt: Instant, isSynchronous: Bool) {
            self.lostAt = lostAt
            self.promotedAt = promotedAt
            self.isSynchronous = isSynchronous
        }
    }
}
