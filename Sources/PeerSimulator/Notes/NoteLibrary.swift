import Support

/// The notes of the Keep account, and who is authenticated to read them.
///
/// Every user reads the same notes. A reader sees them as they were at the user's last authentication.
final class NoteLibrary: Sendable {
    /// What a change of one note sets; nil leaves it.
    struct Edit: Sendable, Codable {
        var title: String?
        var text: String?
        var labels: [String]?
    }

    private struct State {
        var notes: [KeepNote]
        var positions: [String: Int]
        var sessions: [String: [KeepNote]] = [:]
        var lastEdit = KeepTimestamp(microseconds: 0)
        var fetches: UInt64 = 0
        var created = 0
    }

    private let state: Mutex<State>
    private let seed: UInt64

    init(notes: [KeepNote], seed: UInt64) {
        let positions = Dictionary(notes.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { $1 })
        state = Mutex(State(notes: notes, positions: positions))
        self.seed = seed
    }

    // MARK: - Reading as the extractor does

    /// Opens the user's session on the notes as they are now.
    func authenticate(username: String) {
        state.withLock { $0.sessions[username] = $0.notes }
    }

    /// What a restart of the extractor's process does.
    func forgetSessions() -> Int {
        state.withLock { state in
            defer { state.sessions = [:] }
            return state.sessions.count
        }
    }

    /// The listed notes of the session in an order of its own, and the running number of this fetch;
    /// nil where there is no session.
    func fetch(username: String, modifiedSince: KeepTimestamp?, limit: Int?) -> NoteFetch? {
        let found: (notes: [KeepNote], number: UInt64)? = state.withLock {
            guard let notes = $0.sessions[username] else { return nil }
            $0.fetches += 1
            return (notes, $0.fetches)
        }
        guard let found else { return nil }
        var order = found.notes.indices.filter { index in
            found.notes[index].isListed && modifiedSince.map { found.notes[index].modified >= $0 } ?? true
        }
        var random = SplitMix64(seed: seed &+ found.number &* 0x9E37)
        order.shuffle(using: &random)
        if let limit { order = Array(order.prefix(max(0, limit))) }
        return NoteFetch(notes: found.notes, order: order, number: found.number, username: username)
    }

    // MARK: - Changing as the user does

    var notes: [KeepNote] { state.withLock { $0.notes } }

    func note(id: String) -> KeepNote? {
        state.withLock { state in state.positions[id].map { state.notes[$0] } }
    }

    /// Changes a note; its modified time moves on. Nil where there is no such note.
    func edit(id: String, _ edit: Edit) -> KeepNote? {
        change(id: id) { note in
            if let title = edit.title { note.title = title }
            if let text = edit.text { note.content = .text(text) }
            if let labels = edit.labels { note.labels = labels }
        }
    }

    /// Puts a note in Keep's trash: from now on it is left out. Nil where there is no such note.
    func trash(id: String) -> KeepNote? {
        change(id: id) { $0.isTrashed = true }
    }

    func create(_ edit: Edit) -> KeepNote {
        state.withLock { state in
            let time = Self.nextEdit(&state)
            state.created += 1
            let note = KeepNote(
                id: "created.\(state.created)",
                title: edit.title ?? "",
                content: .text(edit.text ?? ""),
                created: time,
                modified: time,
                labels: edit.labels ?? []
            )
            state.positions[note.id] = state.notes.count
            state.notes.append(note)
            return note
        }
    }

    /// Adds a note with every field as given, in place of the one with its id.
    func put(_ note: KeepNote) {
        state.withLock { state in
            if let position = state.positions[note.id] {
                state.notes[position] = note
            } else {
                state.positions[note.id] = state.notes.count
                state.notes.append(note)
            }
        }
    }

    /// Adds a line to the first `count` listed notes and returns them as they are then.
    func touch(count: Int) -> [KeepNote] {
        let chosen = notes.filter(\.isListed).prefix(max(0, count))
        return chosen.compactMap { note in
            change(id: note.id) { $0.content = .text($0.content.text + "\nEdited in Keep.") }
        }
    }

    private func change(id: String, _ body: (inout KeepNote) -> Void) -> KeepNote? {
        state.withLock { state in
            guard let position = state.positions[id] else { return nil }
            body(&state.notes[position])
            state.notes[position].modified = max(
                Self.nextEdit(&state),
                KeepTimestamp(microseconds: state.notes[position].modified.microseconds + 1)
            )
            return state.notes[position]
        }
    }

    /// Now, and later than every edit before it.
    private static func nextEdit(_ state: inout State) -> KeepTimestamp {
        let time = max(KeepTimestamp.now, KeepTimestamp(microseconds: state.lastEdit.microseconds + 1))
        state.lastEdit = time
        return time
    }
}
