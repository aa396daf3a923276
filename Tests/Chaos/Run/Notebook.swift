import ChaosChecker

/// What is in Keep: writes notes into the simulator and remembers every version.
actor Notebook {
    private struct Entry {
        var id: String
        var number: Int
        var version: Int
        var title: String
        var text: String
        var isTrashed = false
        var isRefused = false
    }

    private let peers: Peers
    private let secrets: Secrets
    private var entries: [Entry] = []
    private(set) var versions: [History.NoteVersion] = []
    private(set) var trashed: [String: History.Instant] = [:]

    init(peers: Peers, secrets: Secrets) {
        self.peers = peers
        self.secrets = secrets
    }

    /// - Parameter isUntitled: its page is then named by the note's position in an answer.
    func create(isUntitled: Bool = false, isRefused: Bool = false) async throws {
        let number = entries.count
        let title = isUntitled ? "" : secrets.title(of: number, version: 1, isRefused: isRefused)
        let text = secrets.text(of: number, version: 1)
        let note = try await peers.createNote(title: title, text: text)
        let entry = Entry(id: note.id, number: number, version: 1, title: title, text: text, isRefused: isRefused)
        entries.append(entry)
        remember(entry)
    }

    func edit(_ choice: Int, changesTitle: Bool) async throws {
        let live = entries.indices.filter { !entries[$0].isTrashed }
        guard !live.isEmpty else { return }
        let index = live[choice % live.count]
        entries[index].version += 1
        let entry = entries[index]
        if changesTitle, !entry.title.isEmpty {
            entries[index].title = secrets.title(
                of: entry.number,
                version: entry.version,
                isRefused: entry.isRefused
            )
        }
        entries[index].text = secrets.text(of: entry.number, version: entry.version)
        try await peers.editNote(entry.id, title: entries[index].title, text: entries[index].text)
        remember(entries[index])
    }

    func trash(_ choice: Int) async throws {
        let live = entries.indices.filter { !entries[$0].isTrashed && !entries[$0].isRefused }
        guard !live.isEmpty else { return }
        let index = live[choice % live.count]
        try await peers.trashNote(entries[index].id)
        entries[index].isTrashed = true
        trashed[entries[index].id] = Clock.now
    }

    /// Title and text of a note as they are now.
    func words(_ choice: Int) -> (title: String, text: String) {
        let entry = entries[choice % entries.count]
        return (entry.title, entry.text)
    }

    private func remember(_ entry: Entry) {
        versions.append(
            History.NoteVersion(note: entry.id, at: Clock.now, title: entry.title, content: entry.text)
        )
    }
}
