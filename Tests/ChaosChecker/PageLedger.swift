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
    /// Pages whose row in `sync_state` an operator has deleted: a new page was asked for, and the old one is nobody's.
    private(set) var released: Set<String> = []
    /// When an operator deleted the row of a note.
    private(set) var releases: [NoteKey: [History.Instant]] = [:]
    /// Pages of which the writer has said that they can't be found, truly or not. The worker has to believe it.
    private(set) var saidGone: Set<String> = []
    /// Page and text of updates to which the writer has said that the page is in the trash, truly or not.
    private(set) var saidTrashed: Set<[String]> = []

    init(_ history: History) {
        let users = Dictionary(history.arrangement.databases.map { ($1, $0) }, uniquingKeysWith: { $1 })
        let notes = Dictionary(history.versions.map { ($0.content, $0.note) }, uniquingKeysWith: { $1 })
        for page in history.pages {
            byID[page.id] = page
            if let user = users[page.databaseID], let note = page.appended.first.flatMap({ notes[$0] }) {
                byNote[NoteKey(user: user, note: note), default: []].append(page)
            } else {
                strange.append(page)
            }
        }
        for change in history.changes where change.table == "sync_state" {
            if let page = change.new?.page { recorded.insert(page) }
            guard change.operation == "DELETE", let old = change.old, let page = old.page else { continue }
            released.insert(page)
            releases[NoteKey(user: old.user ?? "", note: old.note ?? ""), default: []].append(change.at)
        }
        for call in history.calls where call.operation == "update" {
            let said = ((call.fault ?? "") + " " + (call.refusal ?? "")).lowercased()
            if said.contains("could not find page") || said.contains("could not find block") {
                saidGone.insert(call.pageID ?? "")
            }
            if said.contains("archived") || said.contains("in trash") {
                saidTrashed.insert([call.pageID ?? "", call.content ?? ""])
            }
        }
    }
}
