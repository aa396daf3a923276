extension Checker {
    /// One page per note. More only for a reason that is on record.
    func doubledPages(_ figures: inout Figures) -> [Violation] {
        let states = Dictionary(history.states.map { (key($0.user, $0.note), $0.page) }, uniquingKeysWith: { $1 })
        var violations: [Violation] = []
        for (note, all) in pages.byNote.sorted(by: { $0.key < $1.key }) {
            let surplus = all.filter { $0.id != states[note] && isCounted($0) }
            // Made and never recorded: what an unknown create can leave.
            let orphans = surplus.filter { !pages.recorded.contains($0.id) }
            for page in surplus where pages.recorded.contains(page.id) {
                violations.append(Violation(.pageDoubled, "\(note): page \(page.id) was replaced without a reason"))
            }
            for (createKey, ofKey) in Dictionary(grouping: orphans, by: { $0.idempotencyKeys.first ?? "" }) {
                let allowed = mayLeavePages(note) ? intents.unknownCreates[createKey] ?? 0 : 0
                figures.extraPages += min(ofKey.count, allowed)
                guard ofKey.count > allowed else { continue }
                let what =
                    "\(note): \(ofKey.count) pages beside its own by one create (\(createKey)), \(allowed) allowed"
                violations.append(Violation(.pageDoubled, what))
            }
        }
        return violations
    }

    /// With a writer that honours keys, an unknown create leaves nothing: it is sent again with its key and finds its page. A
    /// note that left Keep meanwhile is not sent again; its create stays on record as unknown.
    private func mayLeavePages(_ note: PageLedger.NoteKey) -> Bool {
        !history.arrangement.honoursKeys || history.trashedNotes[note.note] != nil
    }

    /// Whether a page counts as one of its note.
    private func isCounted(_ page: History.Page) -> Bool {
        // Its owner has deleted it or put it in the trash.
        if page.state != "live" { return false }
        // An operator has asked for a new page, by deleting the record of this one.
        if pages.released.contains(page.id) { return false }
        // The writer has said that it is gone: a new one had to be made.
        if pages.saidGone.contains(page.id) { return false }
        // The same for "in the trash", where such pages are to be made anew.
        if history.arrangement.recreatesTrashed, pages.saidTrashed.contains(where: { $0.first == page.id }) {
            return false
        }
        return !wasReleasedUnrecorded(page)
    }

    /// Whether the record of the note was deleted between the beginning of the run that made this page in place of another
    /// and the end of its create. The page then gets no row, as the operator wants one that is newer still.
    private func wasReleasedUnrecorded(_ page: History.Page) -> Bool {
        guard let createKey = page.idempotencyKeys.first, !pages.recorded.contains(page.id) else { return false }
        return history.changes.contains { change in
            guard change.table == "sync_intents", change.operation == "DELETE", let old = change.old,
                old.key == createKey,
                let run = runs.first(where: { $0.lease == old.lease })
            else { return false }
            let releases = pages.releases[key(old.user ?? "", old.note ?? "")] ?? []
            return releases.contains { (run.start...max(run.start, change.at)).contains($0) }
        }
    }

    /// Nothing is written without an intent committed before, and a page made without being recorded is on record as unknown.
    func createsWithoutRecord() -> [Violation] {
        var violations: [Violation] = []
        var unrecorded: [String: Set<String>] = [:]
        let updates = firstUpdateIntents()
        for call in history.calls where call.peer == "writer" {
            switch call.operation {
            case "create":
                guard let createKey = call.idempotencyKey else {
                    violations.append(Violation(.noIntent, "create \(call.number) came without an Idempotency-Key"))
                    continue
                }
                if (intents.begun[createKey] ?? .max) > call.receivedAt {
                    let what = "create \(call.number) (\(createKey)) came before its intent was committed"
                    violations.append(Violation(.noIntent, what))
                }
                if call.effect == "created", let id = call.effectPageID, !pages.recorded.contains(id),
                    pages.byID[id].map({ !wasReleasedUnrecorded($0) }) ?? true
                {
                    unrecorded[createKey, default: []].insert(id)
                }
            case "update":
                if (updates[call.pageID ?? ""] ?? .max) > call.receivedAt {
                    violations.append(
                        Violation(.noIntent, "update \(call.number) came before its intent was committed")
                    )
                }
            default: break
            }
        }
        for (createKey, made) in unrecorded.sorted(by: { $0.key < $1.key })
        where made.count > intents.unknownCreates[createKey] ?? 0 {
            let recorded = intents.unknownCreates[createKey] ?? 0
            let what = "create \(createKey) made \(made.count) pages without a row, \(recorded) recorded as unknown"
            violations.append(Violation(.unknownNotRecorded, what))
        }
        return violations
    }

    /// Pages to when an update of them was first intended.
    private func firstUpdateIntents() -> [String: History.Instant] {
        var first: [String: History.Instant] = [:]
        for change in history.changes where change.table == "sync_intents" && change.new?.operation == "update" {
            let page = change.new?.page ?? ""
            first[page] = min(first[page] ?? .max, change.at)
        }
        return first
    }
}
