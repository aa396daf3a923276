import Testing

@testable import NoteSync

@Suite struct NoteKeyTests {
    @Test func tellsWhatTheTablesTellApart() {
        #expect("\u{E9}" == "e\u{301}", "Swift calls them equal")
        #expect(NoteKey("\u{E9}") != NoteKey("e\u{301}"))
        #expect(NoteKey("n1") == NoteKey("n1"))
        #expect(MemoryLayout<NoteKey>.size == 16)
    }
}
