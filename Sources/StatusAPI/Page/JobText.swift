import FlowControl
import Foundation
import JobQueue
import Support

/// A job's facts as the pages write them.
enum JobText {
    /// The beginning of the identifier, enough to tell jobs apart on a page.
    static func brief(_ id: JobID) -> String {
        String(id.description.prefix(8))
    }

    /// A user's identifier as far as it takes to recognise the user: two characters and the domain.
    static func masked(_ user: UserID) -> String {
        let parts = user.rawValue.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts.first.map { "\($0.prefix(2))…" } ?? "…"
        return parts.count == 2 ? "\(name)@\(parts[1])" : name
    }

    /// A text that may name the job's user, as it is, in a command or in an address; masked there too. A command with
    /// a masked name would be about nobody: `USER` says that the name has to be put in.
    static func masked(_ text: String, of user: UserID) -> String {
        let mask = masked(user)
        let shown = user.rawValue.withVisibleControls
        let forms = Set([user.rawValue, shown, ShellWord.quoted(user.rawValue), user.rawValue.percentEncoded])
        let text = text.replacingInCommands(ShellWord.quoted(user.rawValue), with: "USER")
        // The longer first: one may hold another.
        return forms.filter { !$0.isEmpty && $0 != mask }.sorted { $0.count > $1.count }.reduce(text) { text, form in
            text.replacingWords(form, with: mask)
        }
    }

    /// What a queued job waits for.
    static func hold(_ hold: JobHold) -> String {
        switch hold {
        case .paused(let pause):
            let end = pause.pausedUntil.map { "until \(TimeText.full($0))" } ?? "until it is resumed"
            return "the end of a pause by \(pause.pausedBy), \(end): \(pause.reason)"
        case .snoozed(let gate, let time) where gate.outOfOrderSince != nil:
            return "\(closed(gate)); looked at again \(TimeText.full(time))"
        case .snoozed(let gate, let time): return "the gate \(gate.name), until \(TimeText.full(time))"
        case .later(_, let reason?): return "its next attempt, after: \(reason)"
        case .later(_, nil): return "its time"
        case .running(let id): return "job \(brief(id)) of the same user, which runs"
        case .noWorker: return "a worker: none is running"
        case .endedPause(let pause):
            let end = pause.pausedUntil.map(TimeText.full) ?? ""
            return "its turn after a pause by \(pause.pausedBy), which ended at \(end); a worker brings it back soon"
        case .gate(let gate): return closed(gate)
        case .claimsHeld(let since, let peers):
            return "a worker that claims jobs: \(claimsHeld(since: since, peers: peers))"
        case .claimsFail(let since): return "a worker that can claim jobs: \(claimsFail(since: since))"
        case .slot(isFree: true):
            return
                "a worker with a free slot to claim it, an earlier job of the same user, or a session that has its row locked"
        case .slot(isFree: false): return "a slot, all of which are taken, or an earlier job of the same user"
        }
    }

    /// Why no worker claims jobs though some are there.
    static func claimsHeld(since: Date, peers: [String]) -> String {
        "all hold their claims, the first since \(TimeText.full(since)), as they do not reach \(Peer.words(for: peers)), or another "
            + "worker is to find out whether it is back"
    }

    /// Why no worker gets a job though some are there.
    static func claimsFail(since: Date) -> String {
        "the database refuses the claims or results of all since \(TimeText.full(since)); the workers' logs say why"
    }

    /// A gate that lets no call pass.
    static func closed(_ gate: ClosedGate) -> String {
        if gate.outOfOrderSince != nil { return "the gate \(gate.name), which is out of order" }
        return "the gate \(gate.name)" + (gate.closedUntil.map { ", closed until \(TimeText.full($0))" } ?? "")
    }

    /// Why the last attempt did not complete, with its time: what it says may have passed since.
    static func lastError(_ job: JobRecord) -> String {
        job.lastError.map { "at \(job.lastErrorAt.map(TimeText.full) ?? "an earlier time"): \($0)" } ?? ""
    }

    /// Who runs it, or has completed it.
    static func worker(_ job: JobRecord) -> String {
        job.isRunOutside ? "none: set to running from outside" : job.worker ?? ""
    }

    static func progress(_ job: JobRecord) -> HTML {
        guard job.totalNotes > 0 else {
            return job.status == .running && !job.isRunOutside
                ? "<progress aria-label=\"No notes fetched yet\"></progress> no notes fetched yet" : "no notes"
        }
        let settled = min(max(0, job.processedNotes + job.failedNotes), job.totalNotes)
        let failed: HTML = job.failedNotes > 0 ? ", <span class=\"bad\">\(job.failedNotes) failed</span>" : ""
        return """
            <progress max="\(job.totalNotes)" value="\(settled)" aria-label="Notes settled"></progress> \
            \(settled) of \(Count.of(job.totalNotes, "note"))\(failed)
            """
    }
}

extension String {
    /// As in a path or a query.
    fileprivate var percentEncoded: String {
        addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._~"))) ?? self
    }

    /// Replaces a word where it is an argument of a command of `syncctl`, behind its options with their values too.
    fileprivate func replacingInCommands(_ word: String, with other: String) -> String {
        let command = /syncctl(?: [A-Za-z-]+)+?(?: --[a-z-]+ (?:\$?'[^']*'|[^\s'])+)*(?: --)?[ =]$/
        return replacingWords(word, with: other) { $0.suffix(400).contains(command) }
    }

    /// Replaces a word where it stands alone: an id may be a part of an ordinary word.
    ///
    /// - Parameter condition: asked with what is before the word.
    fileprivate func replacingWords(
        _ word: String,
        with other: String,
        where condition: (String) -> Bool = { _ in true }
    )
        -> String
    {
        var result = ""
        var rest = self[...]
        while let range = rest.firstRange(of: word) {
            result += rest[..<range.lowerBound]
            let isApart = ![result.last, rest[range.upperBound...].first].contains {
                $0?.isLetter == true || $0?.isNumber == true
            }
            result += isApart && condition(result) ? other : word
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}

/// Durations for people.
enum DurationText {
    /// Rounded to the nearest: `4 s`, `3 min`, `2 h`, `5 d`.
    static func brief(_ duration: Duration) -> String {
        func count(_ unit: Duration) -> Int { Int((max(duration, .zero) / unit).rounded()) }
        if count(.seconds(1)) < 120 { return "\(count(.seconds(1))) s" }
        if count(.seconds(60)) < 120 { return "\(count(.seconds(60))) min" }
        return count(.seconds(3600)) < 48 ? "\(count(.seconds(3600))) h" : "\(count(.seconds(86_400))) d"
    }
}
