import JobQueue
import Postgres
import ServiceHealth
import Support

/// The checks that the verdict makes, each line by its matter.
struct ServiceChecks: Sendable {
    let pool: PostgresPool
    let peers: MachineChecks.Peers

    /// What belongs to a check, and what it says where none of that is so.
    private struct Matter: Sendable {
        let check: String
        let codes: [Finding.Code]
        let ok: @Sendable (ServiceFacts) -> String
    }

    private static let matters = [
        Matter(
            check: "workers",
            codes: [.noWorker, .claimsFailing, .claimsHeld, .slotsFull, .jobsNotTaken, .workerSilent, .workersDeaf],
            ok: { facts in
                let there = facts.workers.filter { !$0.isSilent }
                let (busy, slots) = (there.map(\.busy).reduce(0, +), there.map(\.slots).reduce(0, +))
                return
                    "\(Count.of(there.count, "worker")) \(there.count == 1 ? "is" : "are") there; \(busy) of \(Count.of(slots, "slot")) taken"
            }
        ),
        Matter(check: "gates", codes: [.peerOutOfOrder, .gateClosed], ok: { _ in "Calls of both peers pass" }),
        Matter(check: "pauses", codes: [.everythingPaused, .usersPaused], ok: { _ in "Nothing is paused" }),
        Matter(check: "failures", codes: [.jobsFailed], ok: { _ in "No user's last job failed within the last day" }),
        Matter(check: "writes", codes: [.unknownWrites], ok: { _ in "No write to Notion is of unknown outcome" }),
        Matter(check: "alerts", codes: [.alertsOpen, .installationKeyMissing], ok: { _ in "No alert is open" }),
        Matter(check: "read_only", codes: [.databaseReadOnly], ok: { _ in "The database takes writes" }),
        Matter(
            check: "notification_queue",
            codes: [.notificationQueue],
            ok: { facts in "PostgreSQL's queue of notifications is \(Int(facts.notificationQueueUsage * 100)) % full" }
        ),
    ]

    /// - Returns: the lines, and the verdict; nil: it could not be made out.
    func lines() async -> (lines: [CheckLine], verdict: (text: String, isWrong: Bool)?) {
        let facts: ServiceFacts
        do {
            let pool = pool
            facts = try await within(.seconds(10)) { try await ServiceFacts(pool) }
        } catch {
            let why = error is TimeLimitPassed ? "no answer came within 10 s" : Failure(error).message
            let unread = CheckLine(
                check: "service",
                outcome: .wrong,
                sentence: "What the tables hold can't be read: \(why)",
                advice: "See who holds a lock on them, below, and what the database is busy with"
            )
            return (peers.lines + [unread], nil)
        }
        var known = facts
        // What was asked just now is newer than what a worker has recorded.
        if let faults = peers.faults { known.peerFaults = faults }
        let verdict = Verdict(known)
        let headline = verdict.headline
        let words = (
            text: headline.text + (headline.command.map { " \($0)" } ?? ""), isWrong: verdict.severity == .wrong
        )
        if let fault = verdict.finding(.schemaNotCurrent) {
            let others = Self.matters.map { CheckLine.notChecked($0.check, "the tables are not those of this version") }
            return ([CheckLine("schema", fault)] + peers.lines + others, words)
        }
        var lines = [CheckLine.ok("schema", "The tables are those of this version")]
        lines += verdict.findings.filter { $0.code == .peerDown }.map { CheckLine("peers", $0) } + peers.lines
        for matter in Self.matters {
            let found = verdict.findings.filter { matter.codes.contains($0.code) }
            lines += found.isEmpty ? [.ok(matter.check, matter.ok(known))] : found.map { CheckLine(matter.check, $0) }
        }
        lines += verdict.findings.filter { $0.code == .work }.map { CheckLine("work", $0) }
        return (lines, words)
    }
}
