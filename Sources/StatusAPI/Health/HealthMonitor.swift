import Foundation
import Support

/// What is known of the dependencies, asked for when somebody wants to know and at most every few seconds, all at once;
/// ``HealthWatch`` wants to know now and then.
///
/// A question under way changes nothing until it is answered or has taken its time: a slow peer stays what it was. One
/// of which nothing is known yet counts as down.
final class HealthMonitor: Sendable {
    /// What is known of one dependency.
    struct State: Sendable, Equatable {
        var isUp: Bool
        /// When it was first found so; nil before the first answer.
        var since: Date?
    }

    private struct Entry {
        var state = State(isUp: false, since: nil)
        var askedAt: ContinuousClock.Instant?
        var question: Question?
    }

    /// A question under way and who waits for its answer.
    private struct Question {
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let probes: [HealthProbe]
    private let entries = Mutex<[Dependency: Entry]>([:])

    /// How long an answer counts.
    private let freshness: Duration
    /// How long after a question was put its answer is waited for; well below the 2 s `/health` may take.
    private static let patience = Duration.milliseconds(1500)

    init(probes: [HealthProbe], freshness: Duration = .seconds(3)) {
        self.probes = probes
        self.freshness = freshness
    }

    /// The states now, within 1.5 s whatever a dependency does.
    func states() async -> [Dependency: State] {
        let now = ContinuousClock.now
        for probe in probes { askIfDue(probe, now) }
        await withTaskGroup { group in
            for probe in probes where probe.isAwaited {
                group.addTask { await self.answer(to: probe.dependency) }
            }
        }
        return entries.withLock { $0.mapValues(\.state) }
    }

    /// What is known of those that were ever asked, at once; asks again where it is time, for whoever comes next.
    func known() -> [Dependency: State] {
        let now = ContinuousClock.now
        for probe in probes { askIfDue(probe, now) }
        return entries.withLock { $0.compactMapValues { $0.state.since == nil ? nil : $0.state } }
    }

    private func askIfDue(_ probe: HealthProbe, _ now: ContinuousClock.Instant) {
        let isDue = entries.withLock { entries in
            let entry = entries[probe.dependency, default: Entry()]
            guard entry.question == nil, entry.askedAt.map({ now - $0 >= freshness }) ?? true else { return false }
            entries[probe.dependency, default: Entry()].question = Question()
            entries[probe.dependency]?.askedAt = now
            return true
        }
        guard isDue else { return }
        // Not a child of the caller's task: the answer is for all, and a probe may take longer than this caller waits.
        Task {
            // Whatever the failure is, the answer is "down"; the logs of the worker say why.
            let isUp = (try? await probe.isUp()) ?? false
            settle(probe.dependency, isUp: isUp)
        }
        DeadlineQueue.shared.schedule(after: Self.patience) { self.release(probe.dependency, askedAt: now) }
    }

    private func settle(_ dependency: Dependency, isUp: Bool) {
        let waiters = entries.withLock { entries -> [CheckedContinuation<Void, Never>] in
            var entry = entries[dependency, default: Entry()]
            if entry.state.isUp != isUp || entry.state.since == nil { entry.state = State(isUp: isUp, since: Date()) }
            let waiters = entry.question?.waiters ?? []
            entry.question = nil
            entries[dependency] = entry
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Lets go of those who wait for a question that takes too long.
    private func release(_ dependency: Dependency, askedAt: ContinuousClock.Instant) {
        let waiters = entries.withLock { entries -> [CheckedContinuation<Void, Never>] in
            guard let entry = entries[dependency], entry.askedAt == askedAt, entry.question != nil else { return [] }
            defer { entries[dependency]?.question?.waiters = [] }
            return entry.question?.waiters ?? []
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Waits for the question under way, if it has not taken too long already.
    private func answer(to dependency: Dependency) async {
        await withCheckedContinuation { continuation in
            let mayWait = entries.withLock { entries in
                guard let entry = entries[dependency], entry.question != nil, let askedAt = entry.askedAt,
                    ContinuousClock.now - askedAt < Self.patience
                else { return false }
                entries[dependency]?.question?.waiters.append(continuation)
                return true
            }
            if !mayWait { continuation.resume() }
        }
    }
}
