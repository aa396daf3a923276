extension Checker {
    /// How long a worker may try to record what the database refuses: with others, alone, and shortened. A transaction
    /// that is open somewhere may keep it waiting in between, for two seconds and a half.
    private static let refusalLimit: History.Instant = 2_700_000

    /// A result that the database refuses is given up. Who goes on with it as it is has all those wait that end beside
    /// it.
    ///
    /// Let pass: one between whose tries the worker was disturbed.
    func endlessRefusals() -> [Violation] {
        Dictionary(grouping: history.refusals, by: \.lease).sorted { $0.key < $1.key }.compactMap { lease, refusals in
            let times = refusals.map(\.at)
            guard let first = times.min(), let last = times.max(), last - first > Self.refusalLimit,
                !isDisturbed(refusals[0].worker, from: first, until: last)
            else { return nil }
            let what =
                "\(refusals[0].worker) tried \(times.count) times in \((last - first) / 1000) ms to end a job by lease \(lease)"
            return Violation(.refusedForEver, what)
        }
    }

    /// A lease runs out of a worker that is dead or cut off, and of no other: silent connections are noticed in time.
    ///
    /// Let pass: one whose connections fell silent, and those in their place too; one that was given up, as the
    /// database refused the job's end; one whose worker need not have heard of it, as the claim's answer was silenced;
    /// one whose records were lost with a server; and what can be because an outside transaction had the row locked
    /// that a heartbeat renews.
    func lostLeases() -> [Violation] {
        let given = Set(history.refusals.map(\.lease))
        let used = Set(history.changes.filter { $0.held?.worker == $0.by }.compactMap(\.held?.lease))
        return rescues().compactMap { change, old in
            let from = (old.leaseExpiresAt ?? 0) - Self.lease
            guard let worker = old.worker, let lease = old.lease, !given.contains(lease),
                !losses.touches(job: old.job ?? ""),
                old.isRenewed == true || used.contains(lease),
                !isDisturbed(worker, from: from - Self.second, until: change.at, orSilent: false),
                silences(of: worker, from: from - Self.second, until: change.at) < 2,
                !history.openTransactions.contains(where: {
                    $0.job == old.job && $0.from <= change.at && from <= $0.until
                })
            else { return nil }
            let what =
                "\(worker) lost lease \(lease) of job \(old.job ?? "") though new connections were answered"
            return Violation(.leaseLost, what)
        }
    }

    /// A job whose claim's answer was lost is no job that its worker has died of: if the worker was there, and could
    /// show it, while the lease ran out.
    func crashesOfLiving() -> [Violation] {
        rescues().compactMap { change, old in
            guard old.isRenewed == false, let worker = old.worker,
                (change.new?.crashes ?? 0) > (old.crashes ?? 0),
                !isDisturbed(worker, from: (old.leaseExpiresAt ?? 0) - 2 * Self.second, until: change.at)
            else { return nil }
            let what = "job \(old.job ?? "") counts as crashed, and \(worker), which had claimed it, lived"
            return Violation(.crashOfLiving, what)
        }
    }

    private static let second: History.Instant = 1_000_000
    /// How long a lease is in a run.
    private static let lease = 3 * second

    private func rescues() -> [(change: History.Change, old: History.Row)] {
        history.changes.compactMap { change in
            guard change.table == "sync_jobs", change.isRescue, let old = change.old else { return nil }
            return (change, old)
        }
    }

    /// How often connections of a worker fell silent in a time.
    private func silences(of worker: String, from: History.Instant, until: History.Instant) -> Int {
        history.disturbances.count { $0.worker == worker && $0.sparesNew && (from...until).contains($0.from) }
    }

    /// Whether something was done to a worker, its wires or the database in a time.
    ///
    /// - Parameter orSilent: whether it counts that connections fell silent while new ones were answered.
    private func isDisturbed(
        _ worker: String,
        from: History.Instant,
        until: History.Instant,
        orSilent: Bool = true
    ) -> Bool {
        history.disturbances.contains { disturbance in
            (disturbance.worker ?? worker) == worker && disturbance.from <= until && from <= disturbance.until
                && (orSilent || !disturbance.sparesNew)
        }
    }
}
