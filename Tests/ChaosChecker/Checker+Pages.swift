extension Checker {
    /// One page per note. More only for a reason that is on record.
    func doubledPages(_ figures: inout Figures) -> [Violation] {
        let states = Dictionary(history.states.map { (key($0.user, $0.note), $0.page) }, uniquingKeysWith: { $1 })
        var violations: [Violation] = []
        for (note, all) in pages.byNote.sorted(by: { $0.key < $1.key }) {
            let surplus = all.filter { $0.id != states[note] && isCounted($0) }
            // Made and never recorded as the note's: what an unknown create can leave.
            let orphans = surplus.filter { !pages.recorded.contains($0.id) }
            for page in surplus where pages.recorded.contains(page.id) {
                violations.append(Violation(.pageDoubled, "\(note): page \(page.id) was replaced without a reason"))
            }
            for page in orphans where !mayBeUnheard(page) {
                let what =
                    "\(note): page \(page.id) is beside its own, and the answer that made it was neither lost nor late"
                violations.append(Violation(.pageDoubled, what))
            }
            violations += unlisted(orphans.filter { !pages.surplus.contains($0.id) }, of: note)
            for (createKey, ofKey) in Dictionary(grouping: orphans, by: { $0.idempotencyKeys.first ?? "" }) {
                let unrecorded = ofKey.filter { !pages.surplus.contains($0.id) }
                // Let pass: of a request whose records were lost with a server nobody knows, and it is made again.
                let unknown = mayLeavePages(note) ? intents.unknownCreates[createKey] ?? 0 : 0
                let allowed = unknown + losses.requests(key: createKey)
                figures.extraPages += min(ofKey.count, allowed)
                guard unrecorded.count > allowed else { continue }
                let what =
                    "\(note): \(unrecorded.count) pages beside its own by one create (\(createKey)), \(allowed) allowed"
                violations.append(Violation(.pageDoubled, what))
            }
        }
        return violations
    }

    /// A page whose answer nobody has heard is one for which a request stands on record at the end, until a person has
    /// seen to it.
    private func unlisted(_ unheard: [History.Page], of note: PageLedger.NoteKey) -> [Violation] {
        // Let pass: requests whose records were lost with a server.
        let lost = Set(unheard.compactMap(\.idempotencyKeys.first)).map(losses.requests(key:)).reduce(0, +)
        let listed = intents.standingCreates(of: note) + lost
        guard unheard.count > listed else { return [] }
        let what = "\(note): \(unheard.count) pages beside its own are on no list, which has \(listed) requests"
        return [Violation(.unknownNotRecorded, what)]
    }

    /// With a writer that honours keys, an unknown create leaves nothing: it is sent again with its key and finds its
    /// page. A note that left Keep meanwhile is not sent again; its create stays on record as unknown. A note that has
    /// changed meanwhile is sent with another key, as a key stands for one content.
    private func mayLeavePages(_ note: PageLedger.NoteKey) -> Bool {
        !history.arrangement.honoursKeys || history.trashedNotes[note.note] != nil
            || history.versions.count { $0.note == note.note } > 1
    }

    /// How much longer than a disturbance an answer may be on its way, or its record.
    private static let aftermath: History.Instant = 6_000_000

    /// Whether the answer to the create of a page can have been lost, or have come after its time: by a fault of the
    /// writer's, or because something was done to the worker, the database or the wires meanwhile. That its job was
    /// cancelled, queued again or deleted is no reason.
    private func mayBeUnheard(_ page: History.Page) -> Bool {
        guard let call = history.calls.first(where: { $0.effectPageID == page.id && $0.effect == "created" }) else {
            return true
        }
        if let fault = call.fault, !fault.isEmpty { return true }
        let workers = Set(
            (intents.leases[call.idempotencyKey ?? ""] ?? []).compactMap { lease in
                runs.first { $0.lease == lease }?.worker
            }
        )
        let until = (call.endedAt ?? .max) == .max ? History.Instant.max : (call.endedAt ?? 0) + Self.aftermath
        return history.disturbances.contains { disturbance in
            (disturbance.worker.map(workers.contains) ?? true) && disturbance.from <= until
                && disturbance.until + Self.aftermath >= call.receivedAt
        }
    }

    /// A text stands once on a page. More often only if the outcome of so many updates of that page with that text is
    /// on record as unknown. What is unknown of another text, or another note's, excuses nothing.
    func doubledTexts() -> [Violation] {
        history.pages.compactMap { page in
            let counts = Dictionary(page.appended.map { ($0, 1) }, uniquingKeysWith: +)
            let unexcused = counts.filter { $0.value > 1 }
                .map { text, count in max(count - 1 - unknownUpdates(of: text, on: page.id), 0) }
                .reduce(0, +)
            // Let pass: updates whose records were lost with a server are made again.
            let lost = losses.updates(of: page.id)
            guard unexcused > lost else { return nil }
            return Violation(
                .textDoubled,
                "page \(page.id) has \(unexcused) texts twice without an unknown update of them on record, \(lost) allowed"
            )
        }
    }

    private func unknownUpdates(of text: String, on page: String) -> Int {
        let madeAt = history.versions.filter { $0.content == text }.map(\.at).min() ?? 0
        let calls = history.calls.filter { $0.operation == "update" && $0.pageID == page && $0.content == text }
        return intents.unknownUpdates(
            of: page,
            madeAt: madeAt - Self.versionSlack,
            sentAt: calls.map(\.receivedAt).min() ?? .max
        )
    }

    /// How much later than it was put into Keep a version may be noted down.
    private static let versionSlack: History.Instant = 2_000_000

    /// Whether a page counts as one of its note.
    private func isCounted(_ page: History.Page) -> Bool {
        // Its owner has deleted it or put it in the trash.
        if page.state != "live" { return false }
        // It lies in the database that its user had before.
        if history.arrangement.formerDatabases[page.databaseID] != nil { return false }
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

    /// Whether the record of the note was deleted between the beginning of the run that made this page in place of
    /// another and the end of its create. The page then gets no row, as the operator wants one that is newer still.
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

    /// What a worker asks for to see whether the writer is well.
    private static let nowhere = "00000000-0000-4000-8000-000000000000"

    /// Nothing is written without an intent committed before, and a page made without being recorded is on record as
    /// unknown.
    func createsWithoutRecord() -> [Violation] {
        var violations: [Violation] = []
        var unrecorded: [String: Set<String>] = [:]
        let updates = firstUpdateIntents()
        for call in history.calls where call.peer == "writer" {
            switch call.operation {
            // What does not exist is asked for to see whether the writer is well; nothing can come of it.
            case "create" where call.databaseID == Self.nowhere, "update" where call.pageID == Self.nowhere: break
            case "create":
                guard let createKey = call.idempotencyKey else {
                    violations.append(Violation(.noIntent, "create \(call.number) came without an Idempotency-Key"))
                    continue
                }
                if min(intents.begun[createKey] ?? .max, losses.begun[createKey] ?? .max) > call.receivedAt {
                    let what = "create \(call.number) (\(createKey)) came before its intent was committed"
                    violations.append(Violation(.noIntent, what))
                }
                if call.effect == "created", let id = call.effectPageID, !pages.recorded.contains(id),
                    !pages.surplus.contains(id),
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
        where made.count > (intents.unknownCreates[createKey] ?? 0) + losses.requests(key: createKey) {
            let recorded = intents.unknownCreates[createKey] ?? 0
            let what = "create \(createKey) made \(made.count) pages without a row, \(recorded) recorded as unknown"
            violations.append(Violation(.unknownNotRecorded, what))
        }
        return violations
    }

    /// Pages to when an update of them was first intended.
    private func firstUpdateIntents() -> [String: History.Instant] {
        var first = losses.firstUpdates
        for change in history.changes where change.table == "sync_intents" && change.new?.operation == "update" {
            let page = change.new?.page ?? ""
            first[page] = min(first[page] ?? .max, change.at)
        }
        return first
    }
}
