import ChaosChecker
import Testing

/// The checker on notes and pages, by histories made by hand.
@Suite struct CheckerPageTests {
    private static let newer = "TEXT-1-0-2 private"

    private func edited(honoursKeys: Bool = true) -> CraftedHistory {
        var crafted = CraftedHistory(honoursKeys: honoursKeys)
        crafted.history.versions.append(
            History.NoteVersion(note: "n1", at: 600, title: CraftedHistory.title, content: Self.newer)
        )
        return crafted
    }

    // MARK: Notes

    @Test func anEditThatDoesNotArriveIsFound() {
        #expect(edited().broken == [.noteLost])
    }

    @Test func anEditThatArrivesIsLetPass() {
        var crafted = edited()
        crafted.update(Self.newer, at: 700)
        #expect(crafted.broken.isEmpty)
    }

    @Test func aNoteWithoutARecordOfItsPageIsFound() {
        var crafted = CraftedHistory()
        crafted.history.states = []
        #expect(crafted.broken.contains(.noteLost))
    }

    @Test func aTitleThatDoesNotArriveIsFound() {
        var crafted = CraftedHistory()
        crafted.history.versions[0].title = "TITLE-1-0-2 private"
        #expect(crafted.broken == [.noteLost])
        // But an untitled note is named by its position.
        crafted.history.versions[0].title = ""
        #expect(crafted.broken.isEmpty)
    }

    @Test func aTextThatWasNeverInKeepIsFound() {
        var crafted = CraftedHistory()
        crafted.history.pages.append(History.Page(id: "p9", databaseID: "db-ada", title: "", appended: ["else"]))
        #expect(crafted.broken == [.noteLost])
    }

    @Test func aNoteInKeepsTrashNeedsNothing() {
        var crafted = edited()
        crafted.history.trashedNotes = ["n1": 960]
        #expect(crafted.broken.isEmpty)
    }

    @Test func aRefusedNoteIsOnTheListOfFailedOnes() {
        var crafted = CraftedHistory()
        crafted.history.versions.append(
            History.NoteVersion(note: "n2", at: 60, title: "REFUSED", content: "TEXT-1-1-1")
        )
        #expect(crafted.broken == [.noteLost])
        crafted.history.failedNotes = [History.FailedNoteRow(user: "ada", note: "n2")]
        #expect(crafted.broken.isEmpty)
    }

    @Test func aPageInTheTrashIsLeftThereByDefault() {
        var crafted = edited()
        crafted.history.pages[0].state = "trashed"
        #expect(crafted.broken.isEmpty)
        crafted.history.arrangement.recreatesTrashed = true
        #expect(crafted.broken == [.noteLost])
    }

    @Test func aDeletedPageIsMissedOnlyOnceThereIsSomethingToWrite() {
        var crafted = CraftedHistory()
        crafted.history.pages[0].state = "removed"
        #expect(crafted.broken.isEmpty)
        crafted = edited()
        crafted.history.pages[0].state = "removed"
        #expect(crafted.broken == [.noteLost])
    }

    @Test func aWriterThatSaysInTrashIsBelieved() {
        var crafted = edited()
        crafted.update(Self.newer, at: 700)
        crafted.history.pages[0].appended.removeLast()
        #expect(crafted.broken == [.noteLost])
        crafted.history.calls[1].effect = nil
        crafted.history.calls[1].fault = "message(\"Can't edit block that is archived\")"
        #expect(crafted.broken.isEmpty)
    }

    @Test func anOlderTextAtTheEndIsLetPassOnlyIfAnUpdateWasUnknown() {
        var crafted = edited()
        crafted.update(Self.newer, at: 700)
        crafted.history.pages[0].appended.append(CraftedHistory.text)
        #expect(crafted.broken == [.noteLost, .textDoubled])
        var old = CraftedHistory.intent("n1", key: "u1", lease: 1, operation: "update")
        old.page = "p1"
        var new = old
        new.unknownCount = 1
        let held = History.Held(job: "j1", lease: 1, worker: "w1")
        crafted.change("sync_intents", "UPDATE", old: old, new: new, by: "w1", at: 650, held: held)
        crafted.settleLater("n1")
        #expect(crafted.broken.isEmpty)
        #expect(crafted.figures.overtaken == 1)
        // The older text left its worker after the newer one: that is no accident of the way.
        crafted.history.sends.append(History.Send(worker: "w1", user: "ada", at: 850, text: "TEXT-1-0-1 "))
        #expect(crafted.broken == [.noteLost])
    }

    @Test func aWriteLeftOpenIsFound() {
        var crafted = CraftedHistory()
        let held = History.Held(job: "j1", lease: 1, worker: "w1")
        var intent = CraftedHistory.intent("n1", key: "k1", lease: 1)
        intent.unknownAt = 800
        crafted.change("sync_intents", "INSERT", new: intent, by: "w1", at: 800, held: held)
        #expect(crafted.broken == [.writeLeftOpen])
        crafted.history.trashedNotes = ["n1": 960]
        #expect(crafted.broken.isEmpty)
    }

    @Test func anUpdateLeftOpenIsFound() {
        for isFullSync in [true, false] {
            var crafted = CraftedHistory()
            crafted.insertJob("j2", at: 1000)
            crafted.claim("j2", by: "w1", lease: 2, at: 1100, isFullSync: isFullSync)
            var intent = CraftedHistory.intent("n1", key: "u1", lease: 2, operation: "update")
            intent.page = "p1"
            let held = History.Held(job: "j2", lease: 2, worker: "w1")
            crafted.change("sync_intents", "INSERT", new: intent, by: "w1", at: 1200, held: held)
            crafted.rescue("j2", of: "w1", lease: 2, by: "w2", at: CraftedHistory.expiry + 1)
            #expect(crafted.broken.contains(.writeLeftOpen))
            // Its owner has put the page in the trash: what is unknown of it stays so.
            crafted.history.pages[0].state = "trashed"
            #expect(!crafted.broken.contains(.writeLeftOpen))
        }
    }

    // MARK: Pages

    @Test(arguments: [true, false])
    func aSecondPageIsFound(_ honoursKeys: Bool) {
        var crafted = CraftedHistory(honoursKeys: honoursKeys)
        crafted.create("p2", key: "k1", at: 450)
        #expect(crafted.broken == [.pageDoubled, .unknownNotRecorded])
    }

    @Test func aSecondPageOfAnUnknownCreateIsLetPassOnlyWithoutKeys() {
        for honoursKeys in [true, false] {
            var crafted = CraftedHistory(honoursKeys: honoursKeys)
            crafted.create("p2", key: "k1", at: 450)
            crafted.markUnknown("n1", key: "k1", lease: 1, by: "w1", at: 350)
            crafted.settleLater("n1")
            #expect(crafted.broken == [.pageDoubled], "its answer was neither lost nor late")
            crafted.history.disturbances = [History.Disturbance(worker: "w2", from: 0, until: 9_000_000)]
            #expect(crafted.broken == [.pageDoubled], "that was another worker")
            crafted.history.disturbances = [History.Disturbance(worker: "w1", from: 400, until: 460)]
            #expect(crafted.broken == (honoursKeys ? [.pageDoubled] : []))
            #expect(crafted.figures.unknownCreates == 1)
            #expect(crafted.figures.extraPages == (honoursKeys ? 0 : 1))
            // One unknown create excuses one page.
            crafted.create("p3", key: "k1", at: 460)
            #expect(crafted.broken == [.pageDoubled, .unknownNotRecorded])
        }
    }

    @Test func aPageThatNobodyHasHeardOfNeedsARequestOnTheList() {
        for isListed in [true, false] {
            var crafted = CraftedHistory(honoursKeys: false)
            crafted.create("p2", key: "k1", at: 450)
            crafted.markUnknown("n1", key: "k1", lease: 1, by: "w1", at: 350)
            crafted.settleLater("n1", isListed: isListed)
            crafted.history.disturbances = [History.Disturbance(worker: "w1", from: 400, until: 460)]
            #expect(crafted.broken == (isListed ? [] : [.unknownNotRecorded]))
        }
    }

    @Test func aSurplusPageOnRecordIsLetPassIfItsAnswerCameLate() {
        var crafted = CraftedHistory(honoursKeys: false)
        crafted.create("p2", key: "k1", at: 450)
        let held = History.Held(job: "j1", lease: 1, worker: "w1")
        let surplus = CraftedHistory.state("n1", page: "p2")
        crafted.change("sync_surplus_pages", "INSERT", new: surplus, by: "w1", at: 800, held: held)
        #expect(crafted.broken == [.pageDoubled])
        crafted.history.disturbances = [History.Disturbance(worker: nil, from: 400, until: 460)]
        #expect(crafted.broken.isEmpty)
    }

    @Test func aTextTwiceOnAPageNeedsAnUnknownUpdate() {
        var crafted = edited()
        crafted.update(Self.newer, at: 700)
        crafted.history.pages[0].appended.append(Self.newer)
        #expect(crafted.broken == [.textDoubled])
        var old = CraftedHistory.intent("n1", key: "u1", lease: 1, operation: "update")
        old.page = "p1"
        var new = old
        new.unknownCount = 1
        new.unknownAt = 650
        let held = History.Held(job: "j1", lease: 1, worker: "w1")
        crafted.change("sync_intents", "UPDATE", old: old, new: new, by: "w1", at: 650, held: held)
        crafted.settleLater("n1")
        #expect(crafted.broken.isEmpty)
    }

    /// An unknown update of one text excuses no other that stands twice, and one excuses one.
    @Test func anUnknownUpdateExcusesItsOwnTextAlone() {
        let second: History.Instant = 1_000_000
        for isOfThisText in [true, false] {
            var crafted = edited()
            let last = "TEXT-1-0-3 private"
            crafted.history.versions.append(
                History.NoteVersion(note: "n1", at: 10 * second, title: CraftedHistory.title, content: last)
            )
            crafted.update(Self.newer, hash: "h2", at: 7 * second)
            crafted.update(last, hash: "h3", at: 11 * second)
            crafted.update(last, hash: "h3", at: 12 * second)
            #expect(crafted.broken.contains(.textDoubled))
            let hash = isOfThisText ? "h3" : "h2"
            crafted.markUpdateUnknown("n1", page: "p1", hash: hash, at: (isOfThisText ? 11 : 7) * second + 15)
            crafted.settleLater("n1", at: 20 * second)
            #expect(crafted.broken.contains(.textDoubled) == !isOfThisText)
            crafted.update(last, hash: "h3", at: 13 * second)
            crafted.settleLater("n1", at: 21 * second)
            #expect(crafted.broken.contains(.textDoubled))
        }
    }

    @Test func aPageInTheDatabaseThatTheUserHadBeforeIsNotTheNotes() {
        var crafted = CraftedHistory()
        crafted.history.arrangement.formerDatabases = ["db-ada": "ada"]
        crafted.history.arrangement.databases = ["ada": "db-ada-moved"]
        #expect(crafted.broken == [.noteLost])
        crafted.write("n1", page: "p2", key: "k2", by: "w1", lease: 1, at: 500)
        crafted.history.pages[1].databaseID = "db-ada-moved"
        #expect(crafted.broken.isEmpty)
    }

    @Test func refusedContentIsMissedUnlessItIsOnTheListOfFailedNotes() {
        var crafted = edited()
        crafted.update(Self.newer, at: 700)
        crafted.history.pages[0].appended.removeLast()
        crafted.history.calls[1].effect = nil
        crafted.history.calls[1].databaseID = "db-ada"
        crafted.history.calls[1].fault = "message(\"body failed validation\")"
        #expect(crafted.broken == [.noteLost])
        crafted.history.failedNotes = [History.FailedNoteRow(user: "ada", note: "n1")]
        #expect(crafted.broken.isEmpty)
    }

    @Test func aReplacedPageNeedsAReason() {
        var crafted = CraftedHistory()
        crafted.write("n1", page: "p2", key: "k2", by: "w1", lease: 1, at: 500)
        #expect(crafted.broken == [.pageDoubled])
    }

    @Test func aPageWhoseRecordAnOperatorDeletedMayBeReplaced() {
        var crafted = CraftedHistory()
        crafted.change("sync_state", "DELETE", old: CraftedHistory.state("n1", page: "p1"), by: "test", at: 490)
        crafted.write("n1", page: "p2", key: "k2", by: "w1", lease: 1, at: 500)
        #expect(crafted.broken.isEmpty)
    }

    @Test func aPageThatIsSaidToBeGoneMayBeReplaced() {
        var crafted = CraftedHistory()
        crafted.update(CraftedHistory.text, at: 600)
        crafted.history.pages[0].appended.removeLast()
        crafted.history.calls[1].refusal = "Could not find page with ID: p1."
        crafted.write("n1", page: "p2", key: "k2", by: "w1", lease: 1, at: 700)
        #expect(crafted.broken.isEmpty)
    }

    @Test func aCreateWithoutAKeyOrWithoutAnIntentIsFound() {
        var crafted = CraftedHistory()
        crafted.history.calls[0].idempotencyKey = nil
        #expect(crafted.broken == [.noIntent])
        crafted = CraftedHistory()
        crafted.history.calls[0].receivedAt = 299
        #expect(crafted.broken == [.noIntent])
        crafted = CraftedHistory()
        crafted.history.changes.removeAll { $0.table == "sync_intents" }
        #expect(crafted.broken == [.noIntent])
    }

    @Test func anUpdateWithoutAnIntentIsFound() {
        var crafted = edited()
        crafted.update(Self.newer, at: 700)
        crafted.history.changes.removeAll { $0.table == "sync_intents" && $0.row.operation == "update" }
        #expect(crafted.broken == [.noIntent])
    }
}
