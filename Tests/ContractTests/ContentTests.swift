import JobQueue
import TestSupport
import Testing

@testable import PeerSimulator

/// Images, untitled notes, and what counts as a change.
@Suite(.timeLimit(.minutes(5)))
struct ContentTests {
    @Test func imagesWithoutAddressAreLeftOutWithAWarning() async throws {
        try await withInstallation { sync in
            let images = [
                KeepImage(id: "a", filename: "a.jpg", loss: nil),
                KeepImage(id: "b", filename: "b.jpg", loss: "Failed to download image"),
            ]
            sync.note("n1", images: images)
            sync.note("n2", images: [images[0]])
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (2, 0))
            #expect(sync.pages(of: "n1").first?.images.map(\.id) == ["a"])
            #expect(try await sync.lines("WARNING", of: job).count == 1)
            #expect(try await sync.lines("WARNING", of: job, note: "n1").first?.contains("1 of 2 images") == true)
        }
    }

    @Test func aNewAddressOfAnImageIsNoChange() async throws {
        try await withInstallation { sync in
            sync.note("n1", images: [KeepImage(id: "a", filename: "a.jpg", loss: nil)])
            try await sync.sync()
            let first = sync.pages.first?.images.first?.s3URL
            try await sync.sync()
            #expect(sync.calls == .init(logins: 2, fetches: 2, creates: 1))
            sync.edit("n1")
            try await sync.sync()
            #expect(sync.pages.first?.images.first?.s3URL != first, "an update carries the new one")
        }
    }

    @Test func anUntitledNoteKeepsTheNumberOfItsPage() async throws {
        try await withInstallation { sync in
            sync.notes(6)
            sync.note("u", title: "", modified: "2026-01-02T05:00:00")
            try await sync.sync()
            let page = try #require(sync.pages.first { $0.title.hasPrefix("Note #") })
            // Alone in its response it is called Note #1.
            try await sync.sync()
            #expect(sync.calls.updates == 0, "another number is no change")
            sync.edit("u", text: "Edited")
            sync.note("u2", title: "", modified: "2026-01-02T05:00:01")
            try await sync.sync()
            let after = try #require(sync.simulator.pages.page(id: page.id))
            #expect(after.updates == 1)
            #expect(after.title == page.title)
            sync.edit("u", text: "Edited", title: "A title at last")
            try await sync.sync()
            #expect(sync.simulator.pages.page(id: page.id)?.title == "A title at last")
        }
    }

    @Test func aNumberKeptWithEveryResponseOrder() async throws {
        try await withInstallation { sync in
            for number in 1...9 { sync.note("u\(number)", title: "", text: "Text \(number)") }
            try await sync.sync()
            let titles = Dictionary(uniqueKeysWithValues: sync.pages.map { ($0.id, $0.title) })
            #expect(Set(titles.values).count == 9)
            for round in 1...3 {
                for number in 1...9 { sync.edit("u\(number)", text: "Text \(number), round \(round)") }
                try await sync.sync(full: round == 2)
            }
            #expect(sync.pages.allSatisfy { $0.updates == 3 && $0.title == titles[$0.id] })
            try await sync.sync(full: true)
            #expect(sync.pages.allSatisfy { $0.updates == 3 })
        }
    }

    @Test func aNoteAsItWasIsNotWrittenAgain() async throws {
        try await withInstallation { sync in
            sync.note("n1", text: "Same", labels: ["a", "b"])
            try await sync.sync()
            // Saved again without a change, and its labels in another order.
            sync.note("n1", text: "Same", modified: "2026-01-02T04:00:00", labels: ["b", "a"])
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (1, 0))
            #expect(sync.calls.updates == 0)
            #expect(try await sync.states()["n1"]?.modified == "2026-01-02T04:00:00.000000")
            #expect(try await sync.cursor() == "2026-01-02T04:00:00.000000")
        }
    }

    @Test(arguments: ["title", "text", "labels", "images"]) func everyRealChangeIsWritten(_ field: String) async throws
    {
        try await withInstallation { sync in
            sync.note("n1", title: "Title", text: "Text")
            try await sync.sync()
            sync.note(
                "n1",
                title: field == "title" ? "Other" : "Title",
                text: field == "text" ? "Other" : "Text",
                modified: "2026-01-02T04:00:00",
                labels: field == "labels" ? ["other"] : [],
                images: field == "images" ? [KeepImage(id: "a", filename: "a.jpg", loss: nil)] : []
            )
            try await sync.sync()
            #expect(sync.pages.map(\.updates) == [1])
        }
    }

    @Test func aChangeWithoutANewTimeIsSeenByItsContent() async throws {
        try await withInstallation { sync in
            sync.note("n1", text: "Before")
            try await sync.sync()
            sync.note("n1", text: "After")
            try await sync.sync()
            #expect(sync.pages.first?.appended == ["Before", "After"])
        }
    }

    @Test(arguments: ["Note #007", "Note #20250102123", "Note #99999999999999999999", "Note #0"])
    func aTitleThatOnlyLooksLikeANumberIsKept(_ title: String) async throws {
        try await withInstallation { sync in
            sync.note("n1", title: title)
            sync.note("n2", title: "")
            try await sync.sync()
            #expect(sync.pages.map(\.title).contains(title))
            sync.edit("n1", text: "Edited")
            try await sync.sync()
            #expect(sync.simulator.pages.pages(title: title).map(\.updates) == [1])
            sync.edit("n1", text: "Edited", title: "Another")
            try await sync.sync()
            #expect(sync.simulator.pages.pages(title: "Another").map(\.updates) == [2], "a new title is a change")
        }
    }

    @Test func aLoneSurrogateBecomesAReplacementCharacter() async throws {
        try await withInstallation { sync in
            let fields = #""title":"T \ud83d","modified_at":"2026-01-02T03:04:05""#
            sync.nextFetch(
                #"{"notes":[{"id":"a","content":"x\udc00y",\#(fields)},{"id":"b","content":"😀\ud83d\ude00",\#(fields)}],"count":2}"#,
                times: 2
            )
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (2, 0))
            #expect(Set(sync.pages.flatMap(\.appended)) == ["x\u{FFFD}y", "😀😀"])
            try await sync.sync(full: true)
            #expect(sync.calls.updates == 0)
        }
    }
}
