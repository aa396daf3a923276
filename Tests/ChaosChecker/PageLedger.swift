/// Which page belongs to which note of which user, and which pages have been let go of.
struct PageLedger: Sendable {
    struct NoteKey: Hashable, Sendable, Comparable, CustomStringConvertible {
        var user: String
        var note: String

        static func < (left: Self, right: Self) -> Bool { (left.user, left.note) < (right.user, right.note) }
        var description: String { "note \(note) of \(user)" }
    }

    private(set) var byID: [String: History.Page] = [:]
    /// In the order of their creation.
    private(set) var byNote: [NoteKey: [History.Page]] = [:]
    /// Pages whose text is none that was ever in Keep.
    private(set) var strange: [History.Page] = []
    /// Pages that stood in `sync_state` at some time.
    private(set) var recorded: Set<String> = []
    /// Pages on record as surplus.
    private(set) var surplus: Set<String> = []
    /// Pages whose row in `sync_state` an operator has deleted: a new page was asked for, and the old one is nobody's.
    private(set) var released: Set<String> = []
    /// When an operator deleted the row of a note.
    private(set) var releases: [NoteKey: [History.Instant]] = [:]
    /// Pages of which the writer has said that they can't be found, truly or not. The worker has to believe it.
    private(set) var saidGone: Set<String> = []
    /// Page and text of updates to which the writer has said that the page is in the trash, truly or not.
    private(set) var saidTrashed: Set<[String]> = []
    /// User and text of writes that the writer has refused for good: they are not sent again before the note changes.
    private(set) var saidRefused: Set<[String]> = []

    init(_ history: History) {
        let users = Dictionary(history.arrangement.databases.map { ($1, $0) }, uniquingKeysWith: { $1 })
            .merging(history.arrangement.formerDatabases) { $1 }
        let notes = Dictionary(history.versions.map { ($0.content, $0.note) }, uniquingKeysWith: { $1 })
        for page in history.pages {
            byID[page.id] = page
            if let user = users[page.databaseID], let note = page.appended.first.flatMap({ notes[$0] }) {
                byNote[NoteKey(user: user, note: note), default: []].append(page)
            } else {
                strange.append(page)
            }
        }
        for change in history.changes where change.table == "sync_surplus_pages" {
            if let page = change.new?.page { surplus.insert(page) }
        }
        for change in history.changes where change.table == "sync_state" {
            if let page = change.new?.page { recorded.insert(page) }
            guard change.operation == "DELETE", let old = change.old, let page = old.page else { continue }
            released.insert(page)
            releases[NoteKey(user: old.user ?? "", note: old.note ?? ""), default: []].append(change.at)
        }
        for call in history.calls where call.peer == "writer" {
            let said = Self.said(call)
            if let user = users[call.databaseID ?? ""],
                Self.refusals.contains(where: said.hasPrefix) || Self.isRefused(call)
            {
                saidRefused.insert([user, call.content ?? ""])
            }
            guard call.operation == "update" else { continue }
            if said.hasPrefix("could not find page with id") || said.hasPrefix("could not find block with id") {
                saidGone.insert(call.pageID ?? "")
            }
            if Self.trashings.contains(where: said.hasPrefix) {
                saidTrashed.insert([call.pageID ?? "", call.content ?? ""])
            }
        }
    }

    /// Notion's fixed sentences count where a message begins with them, and nowhere else.
    private static let trashings = [
        "can't edit block that is archived", "can't edit page on block with an archived ancestor",
        "can't update a page that is archived",
    ]
    private static let refusals = ["body failed validation"]

    private static func said(_ call: History.Call) -> String {
        if let refusal = call.refusal { return refusal.lowercased() }
        // The simulator describes a text with its apostrophes escaped.
        let fault = (call.fault ?? "").replacing("\\'", with: "'").lowercased()
        for name in ["message(\"", "quote(\""] where fault.hasPrefix(name) {
            return String(fault.dropFirst(name.count))
        }
        return ""
    }

    /// A status by which a request is refused for good.
    private static func isRefused(_ call: History.Call) -> Bool {
        [400, 413, 418, 422].contains { (call.fault ?? "").hasPrefix("status(code: \($0)") }
    }
}
