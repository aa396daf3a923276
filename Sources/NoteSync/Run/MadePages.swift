internal import Support

/// The pages that a run's creates have made, by the writer's word. Two notes are never one page: a writer, or a proxy
/// that answers with what it has kept, which says so has not been heard.
final class MadePages: Sendable {
    private let notes = Mutex<[NoteKey: NoteKey]>([:])

    /// - Returns: whether no other note has this page.
    func add(_ pageID: String, of noteID: String) -> Bool {
        let page = NoteKey(pageID)
        let note = NoteKey(noteID)
        return notes.withLock { notes in
            // An idempotent writer answers a create that is sent again with the page it has made.
            if let known = notes[page] { return known == note }
            notes[page] = note
            return true
        }
    }
}
