import Testing

@testable import NoteSync

@Suite struct ContentHashTests {
    private func note(_ change: (inout KeepNote) -> Void = { _ in }) -> ContentHash {
        var note = KeepNote(
            id: "1",
            title: "Title",
            content: "Text",
            createdAt: "2025-01-01T00:00:00",
            modifiedAt: KeepTimestamp(microseconds: 0),
            labels: ["a", "b"],
            images: [KeepNote.Image(id: "i", filename: "f", url: "https://x/1")],
            position: 7
        )
        change(&note)
        return ContentHasher.test.hash(note)
    }

    @Test func leavesOutWhatIsNoChange() {
        let same = note()
        #expect(note { $0.images[0].url = "https://x/2" } == same)
        #expect(note { $0.images[0].url = nil } == same)
        #expect(note { $0.labels = ["b", "a"] } == same)
        #expect(note { $0.modifiedAt = KeepTimestamp(microseconds: 5) } == same)
        #expect(
            note {
                $0.title = "Note #1"; $0.position = 1
            }
                == note {
                    $0.title = "Note #77"; $0.position = 77
                }
        )
    }

    @Test func seesEveryChange() {
        let same = note()
        #expect(note { $0.title = "Other" } != same)
        #expect(note { $0.title = "Note #1" } != same)
        #expect(note { $0.title = "" } != note { $0.title = "Note #7" })
        #expect(note { $0.title = "Note #007" } != note { $0.title = "Note #7" }, "a person gave that title")
        #expect(note { $0.content = "Text " } != same)
        #expect(note { $0.labels = ["a"] } != same)
        #expect(note { $0.labels = ["ab"] } != note { $0.labels = ["a", "b"] })
        #expect(note { $0.images = [] } != same)
        #expect(note { $0.images[0].id = "j" } != same)
        #expect(
            note {
                $0.title = "TitleT"; $0.content = "ext"
            }
                != note {
                    $0.title = "Title"; $0.content = "Text"
                }
        )
    }

    @Test func staysTheSameFromVersionToVersion() {
        // A stored hash that no longer matches says nothing: the time decides.
        #expect(note().text == "2:\(note().text.dropFirst(2))")
        #expect(note().text.count == 75)
    }

    @Test func aHashOfAnotherKeyOrVersionSaysNothing() {
        let hasher = ContentHasher.test
        #expect(hasher.comparable(note()) == note())
        #expect(ContentHasher(key: Array("another key".utf8)).comparable(note()) == nil)
        #expect(hasher.comparable(ContentHash(text: "1:00")) == nil)
        #expect(hasher.comparable(nil) == nil)
    }
}
