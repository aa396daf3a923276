internal import Foundation

/// Jobs that the database refuses, by a constraint or trigger of somebody else's for example, and users who have many
/// of them: what claims pass over for a while. Bounded, whatever the number.
struct PassedOver: Sendable {
    private struct Job {
        var user: String
        var until: ContinuousClock.Instant
    }

    private var refused: [UUID: Job] = [:]
    private var refusedOfUser: [String: Int] = [:]
    private var refusedUsers: [String: ContinuousClock.Instant] = [:]
    /// Nothing ends before it.
    private var earliestEnd: ContinuousClock.Instant?

    /// A user with so many refused jobs is passed over with all others of theirs.
    private static let mostOfUser = 8
    /// Where there are more refused jobs, their users are passed over in their place: a claim compares each job with
    /// all of them.
    private static let mostJobs = 512
    private static let mostUsers = 20_000

    var jobs: [UUID] { Array(refused.keys) }
    var users: [String] { Array(refusedUsers.keys) }
    var isEmpty: Bool { refused.isEmpty && refusedUsers.isEmpty }
    var isFull: Bool { refusedUsers.count >= Self.mostUsers }

    mutating func add(_ job: UUID, of user: String, until end: ContinuousClock.Instant) {
        guard refusedUsers[user] == nil, refused[job] == nil else { return }
        earliestEnd = min(earliestEnd ?? end, end)
        refused[job] = Job(user: user, until: end)
        refusedOfUser[user, default: 0] += 1
        if refusedOfUser[user, default: 0] >= Self.mostOfUser { replaceJobs(of: [user]) }
        if refused.count > Self.mostJobs { replaceJobs(of: Set(refusedOfUser.keys)) }
    }

    private mutating func replaceJobs(of users: Set<String>) {
        for (id, job) in refused where users.contains(job.user) {
            if !isFull { refusedUsers[job.user] = job.until }
            refused[id] = nil
        }
        for user in users { refusedOfUser[user] = nil }
    }

    mutating func formUnion(_ other: PassedOver) {
        for (user, end) in other.refusedUsers where !isFull {
            refusedUsers[user] = end
            earliestEnd = min(earliestEnd ?? end, end)
        }
        for (id, job) in other.refused { add(id, of: job.user, until: job.until) }
    }

    /// Forgets what has been passed over for long enough.
    mutating func forgetEnded(now: ContinuousClock.Instant = .now) {
        guard let end = earliestEnd, end <= now else { return }
        for (id, job) in refused where job.until <= now {
            refused[id] = nil
            refusedOfUser[job.user, default: 1] -= 1
            if refusedOfUser[job.user] == 0 { refusedOfUser[job.user] = nil }
        }
        refusedUsers = refusedUsers.filter { $0.value > now }
        earliestEnd = (refused.values.map(\.until) + refusedUsers.values).min()
    }
}
