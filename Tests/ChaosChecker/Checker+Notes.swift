extension Checker {
    /// Every note that is in Keep at the end, for every user: its page shows its last version. A note the writer
    /// refuses for good is on the list of failed ones instead.
    func lostNotes(_ figures: inout Figures) -> [Violation] {
        var violations = pages.strange.map {
            Violation(.noteLost, "page \($0.id) holds a text that was never in Keep")
        }
        let states = Dictionary(history.states.map { (key($0.user, $0.note), $0.page) }, uniquingKeysWith: { $1 })
        let failed = Set(history.failedNotes.map { key($0.user, $0.note) })
        // A note in Keep's trash is listed no more, and there is no tombstone: its page stays as it is.
        for last in lastVersions() where history.trashedNotes[last.note] == nil {
            for user in history.arrangement.databases.keys.sorted() {
                let note = key(user, last.note)
                if last.title.contains(history.arrangement.refusedTitle) {
                    if !failed.contains(note) {
                        violations.append(
                            Violation(.noteLost, "\(note) is refused and not on the list of failed notes")
                        )
                    }
                } else if failed.contains(note), pages.saidRefused.contains([user, last.content]) {
                    // The writer has refused this very text for good. It is not sent again before the note changes.
                    continue
                } else if let page = states[note] {
                    if let fault = fault(of: last, user: user, onPage: page, &figures) {
                        violations.append(Violation(.noteLost, "\(note): page \(page) \(fault)"))
                    }
                } else {
                    violations.append(Violation(.noteLost, "\(note) has no page on record"))
                }
            }
        }
        return violations
    }

    func key(_ user: String, _ note: String) -> PageLedger.NoteKey { PageLedger.NoteKey(user: user, note: note) }

    private func lastVersions() -> [History.NoteVersion] {
        let last = Dictionary(history.versions.map { ($0.note, $0) }, uniquingKeysWith: { $0.at > $1.at ? $0 : $1 })
        return last.values.sorted { $0.note < $1.note }
    }

    /// What is wrong with a note's page; nil if it shows the last version, or need not.
    private func fault(
        of last: History.NoteVersion,
        user: String,
        onPage id: String,
        _ figures: inout Figures
    ) -> String? {
        guard let page = pages.byID[id] else { return "does not exist" }
        if history.arrangement.formerDatabases[page.databaseID] != nil {
            return "lies in the database that the user had before"
        }
        let wasWritten = page.appended.contains(last.content)
        switch page.state {
        case "trashed":
            // Its owner has put it there. It is left there by default; where it is to be made anew, that is noticed
            // when something has to be written, so a page with the last version stays.
            return wasWritten || !history.arrangement.recreatesTrashed
                ? nil : "is in the trash without the last version"
        case "removed", "removed_block":
            // Its owner has deleted it. That is noticed when something has to be written, and then it is made anew.
            return wasWritten ? nil : "is deleted and never had the last version"
        default: break
        }
        // The title of an untitled note is its position in one answer and says nothing.
        if page.appended.last == last.content, last.title.isEmpty || page.title == last.title { return nil }
        // The writer has said that this page is in the trash when this version was to be written. It has to be
        // believed.
        if !history.arrangement.recreatesTrashed, pages.saidTrashed.contains([id, last.content]) { return nil }
        if wasWritten, wasOvertaken(last, page, user: user) {
            figures.overtaken += 1
            return nil
        }
        return wasWritten ? "ends with an older version" : "does not have the last version"
    }

    /// Whether an update given up as unknown can have arrived last. The last version was written, but a request that
    /// left its worker earlier and was abandoned, still on its way then, came after it. Nobody can call it back, and
    /// the writer knows no order.
    private func wasOvertaken(_ last: History.NoteVersion, _ page: History.Page, user: String) -> Bool {
        // Or one whose records were lost with a server: who wrote the last version knew nothing of it.
        guard intents.unknownUpdates.contains(where: { $0.page == page.id }) || losses.updates(of: page.id) > 0,
            let older = page.appended.last,
            let olderSent = sends(of: older, user: user).max(), let lastSent = sends(of: last.content, user: user).min()
        else { return false }
        return olderSent < lastSent
    }

    private func sends(of content: String, user: String) -> [History.Instant] {
        history.sends.filter { send in send.user == user && send.text.map { content.hasPrefix($0) } ?? false }.map(\.at)
    }

    /// After the last sync nothing is open any more of a note that is in Keep: what is left would be sent again.
    ///
    /// Let pass: a create of a note that the writer refuses for good. That this request is refused says nothing of an
    /// earlier one, whose worker died before the answer; it stays on record as unknown.
    func writesLeftOpen() -> [Violation] {
        let kept = lastVersions().filter { !$0.title.contains(history.arrangement.refusedTitle) }
        let listed = Dictionary(kept.map { ($0.note, $0.content) }, uniquingKeysWith: { $1 })
            .filter { history.trashedNotes[$0.key] == nil }
        // Let pass for the same reason: a note whose text was refused for good at another time, and an update of a page
        // that its owner has put in the trash, where it is left.
        let isLeft = !history.arrangement.recreatesTrashed
        let trashed = Set(history.pages.filter { $0.state == "trashed" && isLeft }.map(\.id))
        let unsettled = intents.open.filter { row in
            if row.operation == "update", trashed.contains(row.page ?? "") { return false }
            return listed[row.note ?? ""].map { !pages.saidRefused.contains([row.user ?? "", $0]) } ?? false
        }
        return unsettled.map { row in
            Violation(.writeLeftOpen, "\(row.operation ?? "write") of \(key(row.user ?? "", row.note ?? ""))")
        }
    }
}
