extension History {
    /// A change of one row, written by a trigger in the same transaction: what was rolled back is not here.
    ///
    /// Numbers grow with each change; those of one row are in the order of its changes, as the row is locked.
    public struct Change: Sendable, Codable {
        public var number: Int
        public var at: Instant
        public var transaction: Int
        /// `application_name` of who did it.
        public var by: String
        public var table: String
        /// `INSERT`, `UPDATE`, `DELETE`.
        public var operation: String
        public var old: Row?
        public var new: Row?
        /// The running job of the row's user (of `sync_logs`: the row's job), as the change saw it.
        public var held: Held?

        public init(
            number: Int,
            at: Instant,
            transaction: Int = 0,
            by: String,
            table: String,
            operation: String,
            old: Row? = nil,
            new: Row? = nil,
            held: Held? = nil
        ) {
            self.number = number
            self.at = at
            self.transaction = transaction
            self.by = by
            self.table = table
            self.operation = operation
            self.old = old
            self.new = new
            self.held = held
        }

        /// Whether somebody other than its holder gives the job back, as its lease has run out. Not each is a crash.
        public var isRescue: Bool {
            new?.rescuedLease != nil && new?.rescuedLease == old?.lease && old?.rescuedLease != new?.rescuedLease
        }

        /// The row, whichever of its two forms there is.
        public var row: Row { new ?? old ?? Row() }
    }

    /// Whose job it is at this moment.
    public struct Held: Sendable, Codable {
        public var job: String
        public var lease: Int?
        public var worker: String?

        public init(job: String, lease: Int?, worker: String?) {
            self.job = job
            self.lease = lease
            self.worker = worker
        }
    }

    /// The columns that matter of a row of any of the tables.
    public struct Row: Sendable, Codable, Equatable {
        public var job: String?
        public var user: String?
        public var status: String?
        public var lease: Int?
        public var leaseExpiresAt: Instant?
        /// Whether a heartbeat has renewed the lease.
        public var isRenewed: Bool?
        public var worker: String?
        public var crashes: Int?
        /// The last lease that ran out.
        public var rescuedLease: Int?
        public var isFullSync: Bool?
        public var note: String?
        public var page: String?
        public var operation: String?
        public var key: String?
        public var unknownCount: Int?
        public var unknownAt: Instant?
        /// Number of the request that an intent is for.
        public var request: Int?
        /// The request before it, of the same note, if the outcome of that is unknown.
        /// Until when an intent's request may be under way.
        public var openUntil: Instant?
        public var database: String?
        /// Why a note failed.
        public var code: String?
        /// What a note's page shows.
        public var hash: String?

        public init() {}
    }
}
