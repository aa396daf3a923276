/// Settings of a worker of the queue.
public struct JobWorkerConfiguration: Sendable {
    /// Name in the tables and logs, for people; should be unique among the running workers.
    public var name: String
    /// The process, among workers of one name.
    public var instance = WorkerInstance()
    /// Version of the program, shown beside the worker.
    public var version: String
    /// Jobs run at once.
    public var slots: Int
    /// How long a job stays ours without a heartbeat; one is sent every third of it.
    public var lease: Duration
    /// How often the queue is looked at when no notification comes, give or take a fifth.
    public var pollInterval: Duration
    /// How long running jobs may take to finish what is in flight when the worker stops.
    public var shutdownGrace: Duration
    /// How long finished jobs and their logs are kept.
    public var retention: Duration
    /// Whether jobs that ended before a take-over are kept whatever their age.
    public var keepsTakenOverJobs: Bool
    /// Wait before a failed attempt is made again.
    public var backoff: Backoff
    /// How long nothing is heard before the listener asks whether it still hears.
    var hearingInterval = Duration.seconds(10)

    public init(
        name: String,
        version: String,
        slots: Int = 4,
        lease: Duration = .seconds(60),
        pollInterval: Duration = .seconds(5),
        shutdownGrace: Duration = .seconds(25),
        retention: Duration = .seconds(30 * 86400),
        keepsTakenOverJobs: Bool = true,
        backoff: Backoff = Backoff(base: .seconds(60), cap: .seconds(900))
    ) {
        self.name = name
        self.version = version
        self.slots = slots
        self.lease = lease
        self.pollInterval = pollInterval
        self.shutdownGrace = shutdownGrace
        self.retention = retention
        self.keepsTakenOverJobs = keepsTakenOverJobs
        self.backoff = backoff
    }

    /// How long the server may take to answer a heartbeat or a check of the leases: a sixth of the lease, but not so
    /// little that a busy server is taken for a silent one, nor so much that work stands still for long.
    var answerLimit: Duration { min(max(lease / 6, .seconds(1)), .seconds(2)) }

    /// How long a new connection for the leases may take.
    var leaseConnectTimeout: Duration { max(lease / 6, .seconds(2)) }

    /// How long a claim may take: the jobs that it has taken, should its answer be lost, are to be found within their
    /// lease.
    var claimLimit: Duration { min(lease / 3, .seconds(10)) }

    /// How long a lease is trusted by this worker's own clock: less than the lease, for the time an answer takes and
    /// for what is still on its way to a peer when it ends.
    var trustedLease: Duration { lease * 0.85 }
}
