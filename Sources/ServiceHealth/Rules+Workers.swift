import FlowControl
import Foundation
import JobQueue
import Support

extension Rules {
    var noWorker: Finding? {
        guard facts.present.isEmpty else { return nil }
        let last = facts.lastWorker
        let heard =
            switch last {
            case nil: ""
            case .stopped(let worker)?: ". The last, \(worker.name), stopped at \(times.text(worker.stoppedAt))"
            case .heard(let worker)?:
                ". The last, \(worker.name), was heard of at \(times.text(worker.lastSeenAt)): it has ended, is stopped, or does not "
                    + "reach the database"
            }
        let isMissed = depth.due > 0 || depth.running > 0
        let held =
            depth.running > 0 ? "\(Count.of(depth.running, "job")) \(depth.running == 1 ? "was" : "were") begun" : nil
        let work = [depth.due > 0 ? dueClause : nil, held].compactMap(\.self)
        return Finding(
            code: .noWorker,
            severity: isMissed ? .wrong : .warning,
            sentence: (["No worker is running"] + work).joined(separator: "; ") + heard,
            since: last?.at,
            advice: "Start one; if it ends at once, its log says why",
            command: "sync-worker"
        )
    }

    var claimsFailing: Finding? {
        guard let since = facts.workers.allClaimsFailingSince else { return nil }
        return Finding(
            code: .claimsFailing,
            severity: .wrong,
            sentence: "No worker gets a job\(times.since(since)): the database refuses their claims or results",
            since: since,
            advice: "Their logs say why; for missing rights run deploy/roles.sql"
        )
    }

    var claimsHeld: Finding? {
        guard let since = facts.workers.allClaimsHeldSince else { return nil }
        let due = depth.due > 0 ? "; \(dueClause)" : ""
        return Finding(
            code: .claimsHeld,
            severity: depth.due > 0 ? .wrong : .warning,
            sentence:
                "No worker claims jobs\(times.since(since)), as they do not reach \(Peer.words(for: facts.failingPeers)), or another "
                + "worker is to find out whether it is back\(due)",
            since: since,
            advice:
                "They go on by themselves once it is back; look at that peer, at the workers' logs, and at the gates",
            command: "syncctl gates"
        )
    }

    /// Workers that have died, are stopped, or are cut off, while others are there.
    var workerSilent: Finding? {
        let lost = facts.lost
        guard !facts.present.isEmpty, let last = lost.max(by: { $0.lastSeenAt < $1.lastSeenAt }) else { return nil }
        let names = lost.prefix(3).map { $0.label(among: facts.workers) }.joined(separator: ", ")
        let more = lost.count > 3 ? " and \(lost.count - 3) more" : ""
        return Finding(
            code: .workerSilent,
            severity: .warning,
            sentence:
                "\(Count.of(lost.count, "worker")) \(lost.count == 1 ? "has" : "have") stopped answering: \(names)\(more), "
                + "last heard of at \(times.text(last.lastSeenAt))",
            since: last.lastSeenAt,
            advice:
                "Others take over the jobs. Where it is not meant to be gone: see whether its process is stopped, and its log",
            command: "syncctl workers"
        )
    }

    var workersDeaf: Finding? {
        let deaf = facts.present.filter { $0.isListening == false }
        guard !deaf.isEmpty else { return nil }
        return Finding(
            code: .workersDeaf,
            severity: .warning,
            sentence:
                "\(deaf.map { $0.label(among: facts.workers) }.joined(separator: ", ")): LISTEN can't be had or is not heard; jobs are "
                + "found by polling every second meanwhile",
            advice: "See whether its connection passes a pooler"
        )
    }

    // MARK: Peers

    /// Gates of peers that let no call pass.
    var closedGates: [Finding] {
        facts.closedGates.map { gate in
            let peer = Peer(rawValue: gate.name)
            let name = "the \(peer?.name ?? gate.name)"
            let count = waiting(for: gate.name)
            let command = "syncctl gates open \(gate.name)"
            if let since = gate.outOfOrderSince {
                return Finding(
                    code: .peerOutOfOrder,
                    severity: .wrong,
                    sentence:
                        "The \(peer?.name ?? gate.name) is out of order\(times.since(since)): \(gate.reason.withoutFullStop); "
                        + waits(count),
                    since: since,
                    advice:
                        "See to it and to what it calls; jobs go on by themselves within seconds once it is back, or at once by the command",
                    command: command
                )
            }
            return Finding(
                code: .gateClosed,
                severity: .warning,
                sentence:
                    "Calls of \(name) are kept back\(gate.closedBy.map { " by \($0)" } ?? "")\(times.since(gate.closedAt)) "
                    + "\(times.until(gate.closedUntil, otherwise: "until somebody opens the gate")): \(gate.reason.withoutFullStop); "
                    + waits(count),
                since: gate.closedAt,
                advice: "They go on by themselves then; the command lets them pass at once",
                command: command
            )
        }
    }

    /// Jobs that wait for a peer: those put off for its gate and, while no worker claims, those that are due.
    private func waiting(for gate: String) -> Int {
        (facts.waiting.behindPeers[gate] ?? 0) + (facts.workers.allClaimsHeldSince == nil ? 0 : depth.due)
    }

    /// Peers whose health route does not answer and whose breaker is closed.
    var downPeers: [Finding] {
        let broken = Set(facts.closedGates.filter { $0.outOfOrderSince != nil }.map(\.name))
        return facts.peerFaults.filter { !broken.contains($0.peer.rawValue) }.map { fault in
            Finding(
                code: .peerDown,
                severity: .wrong,
                sentence: "The \(fault.peer.name) does not say that it is well\(times.since(fault.since))"
                    + (fault.reason.map { ": \($0.withoutFullStop)" } ?? ""),
                since: fault.since,
                advice: "Start it, or look at its log and at the network between"
            )
        }
    }
}
