/// Something that must not be, as the history shows it.
public struct Violation: Sendable, Hashable, CustomStringConvertible {
    /// What was promised.
    public enum Rule: String, Sendable, CaseIterable {
        /// Every job inserted ends completed, failed or cancelled.
        case jobNotFinal
        /// No job runs twice at once.
        case jobRunTwice
        /// Never two jobs of one user at once.
        case userRunTwice
        /// No write to the tables by a lease that is not held.
        case writeWithoutLease
        /// No request to the writer by a lease that may have run out.
        case sendWithoutLease
        /// A job that is completed has nothing under way and has counted every note.
        case completedTooEarly
        /// Every note that exists and is not refused has a page with its last version.
        case noteLost
        /// No write is left open once a user's last sync is through.
        case writeLeftOpen
        /// No page more than there are reasons for.
        case pageDoubled
        /// No text on a page more often than there are reasons for.
        case textDoubled
        /// Nothing is created but what was intended first.
        case noIntent
        /// No unknown create without a record of it.
        case unknownNotRecorded
        /// No secret where it does not belong.
        case secretTold
        /// What the database refuses of one job is given up soon, and is in nobody's way.
        case refusedForEver
        /// A worker whose new connections are answered keeps its leases.
        case leaseLost
        /// A job is counted as crashed only if its worker has died or was cut off.
        case crashOfLiving
        /// Nothing keeps calls back once every fault is over.
        case gateLeftClosed
        /// Who keeps to a pace has a permit for each request, and takes none for a time far off.
        case permitsWrong
        /// A worker ends only when told to, and then well.
        case workerEnded
    }

    public let rule: Rule
    public let what: String

    public init(_ rule: Rule, _ what: String) {
        self.rule = rule
        self.what = what
    }

    public var description: String { "\(rule.rawValue): \(what)" }
}

/// What a run came to.
public struct Verdict: Sendable {
    public var violations: [Violation] = []
    public var figures = Figures()
}

/// The counts of a run, for the table.
public struct Figures: Sendable, Equatable {
    public var jobs = 0
    public var notes = 0
    public var writes = 0
    public var rescues = 0
    public var leasesLost = 0
    public var unknownCreates = 0
    public var extraPages = 0
    /// Notes whose page ends with an older text because an abandoned request arrived last.
    public var overtaken = 0
    /// How long after each failover a job was at work again, in microseconds.
    public var recoveries: [History.Instant] = []

    public init() {}

    public static func += (sum: inout Figures, other: Figures) {
        sum.jobs += other.jobs
        sum.notes += other.notes
        sum.writes += other.writes
        sum.rescues += other.rescues
        sum.leasesLost += other.leasesLost
        sum.unknownCreates += other.unknownCreates
        sum.extraPages += other.extraPages
        sum.overtaken += other.overtaken
        sum.recoveries += other.recoveries
    }
}
