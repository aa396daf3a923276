import Foundation
import Testing

@testable import NoteSync

@Suite struct NoteDecisionTests {
    private let note = KeepNote(
        id: "1",
        title: "T",
        content: "C",
        createdAt: "",
        modifiedAt: KeepTimestamp(microseconds: 42),
        labels: [],
        images: [],
        position: 3
    )
    private static let here = NotionDatabaseID("here")
    private static let elsewhere = NotionDatabaseID("elsewhere")

    private func decide(
        _ known: KnownNote,
        _ note: KeepNote? = nil,
        full: Bool = false,
        policy: SyncConfiguration.UnknownCreates = .retry,
        limit: Int = 2
    ) -> NoteDecision {
        let note = note ?? self.note
        return NoteDecision(
            note,
            hash: ContentHasher.test.hash(note),
            known: known,
            job: NoteDecision.JobView(
                isFullSync: full,
                databaseID: Self.here,
                hasher: .test,
                unknownCreates: policy,
                unknownLimit: limit
            )
        )
    }

    private func page(
        hash: ContentHash?,
        modified: Int64 = 42,
        database: NotionDatabaseID? = here
    ) -> KnownNote.Page {
        KnownNote.Page(
            id: "p",
            modifiedAt: KeepTimestamp(microseconds: modified),
            hash: hash,
            untitledNumber: nil,
            lastSyncedAt: Date(timeIntervalSince1970: 0),
            databaseID: database
        )
    }

    private func intent(
        _ operation: Intent.Operation,
        key: UUID = UUID(),
        hash: ContentHash? = nil,
        count: Int = 1,
        database: NotionDatabaseID? = here
    ) -> KnownNote.OpenIntent {
        KnownNote.OpenIntent(
            operation: operation,
            idempotencyKey: key,
            hash: hash ?? current,
            modifiedAt: KeepTimestamp(microseconds: 42),
            databaseID: database,
            unknownCount: count
        )
    }

    private var current: ContentHash { ContentHasher.test.hash(note) }
    private var other: ContentHash {
        var changed = note
        changed.content = "Other"
        return ContentHasher.test.hash(changed)
    }
    private let uncheckable = ContentHash(text: "1:other")

    /// Somebody has taken the page off the record, to have it created anew: what became of its last update no longer
    /// matters, held or not.
    @Test(arguments: [1, 2, 3]) func aNoteWhosePageIsOffTheRecordIsCreated(count: Int) {
        var update = intent(.update, count: count)
        update.unknownAt = Date(timeIntervalSince1970: 0)
        #expect(decide(KnownNote(intent: update)) == .create)
        update.resolution = .hold
        #expect(decide(KnownNote(intent: update)) == .create)
    }

    @Test func aNewNoteIsCreated() {
        #expect(decide(.unknown) == .create)
        #expect(decide(.unknown, full: true) == .create)
    }

    @Test(arguments: [false, true]) func theSameContentIsPassedOver(full: Bool) {
        #expect(decide(KnownNote(page: page(hash: current)), full: full) == .upToDate(record: false))
        #expect(decide(KnownNote(page: page(hash: current, modified: 1)), full: full) == .upToDate(record: true))
        let failed = KnownNote(page: page(hash: current), failure: .init(code: "c", error: "e"))
        #expect(decide(failed, full: full) == .upToDate(record: true))
    }

    @Test func changedContentIsWrittenWhateverItsTime() {
        let changed = page(hash: other)
        #expect(decide(KnownNote(page: changed)) == .update(page: changed))
        #expect(decide(KnownNote(page: changed), full: true) == .update(page: changed))
    }

    @Test func aPageWhoseHashSaysNothingIsJudgedByItsTime() {
        for hash in [nil, uncheckable] {
            #expect(decide(KnownNote(page: page(hash: hash))) == .upToDate(record: true))
            #expect(decide(KnownNote(page: page(hash: hash)), full: true) == .upToDate(record: true))
            let older = page(hash: hash, modified: 1)
            #expect(decide(KnownNote(page: older)) == .update(page: older))
        }
    }

    @Test func aTitleThatHappensToBeThePositionIsNoChange() {
        var titled = note
        titled.title = "Note #3"
        titled.position = 9
        let written = page(hash: ContentHasher.test.hash(titled))
        titled.position = 3
        #expect(decide(KnownNote(page: written), titled) == .upToDate(record: true))
    }

    @Test func aPageInAnotherDatabaseIsNone() {
        #expect(decide(KnownNote(page: page(hash: current, database: Self.elsewhere))) == .create)
        #expect(decide(KnownNote(page: page(hash: current, database: nil))) == .upToDate(record: true), "taken over")
        let open = KnownNote(intent: intent(.create, database: Self.elsewhere))
        #expect(decide(open) == .create)
    }

    @Test func anOpenCreateIsTriedAgainWithItsKeyOrHeld() {
        let key = UUID()
        var open = KnownNote(intent: intent(.create, key: key))
        #expect(decide(open) == .writeAgain(idempotencyKey: key))
        #expect(decide(open, policy: .hold) == .hold(open.intent!))
        open.intent?.resolution = .retry
        #expect(decide(open, policy: .hold) == .writeAgain(idempotencyKey: key))
        open.intent?.resolution = .hold
        #expect(decide(open) == .hold(open.intent!))
    }

    @Test func aKeyStandsForOneContent() {
        #expect(decide(KnownNote(intent: intent(.create, hash: other))) == .writeAgain(idempotencyKey: nil))
        let key = UUID()
        let unknown = KnownNote(intent: intent(.create, key: key, hash: uncheckable))
        #expect(decide(unknown) == .writeAgain(idempotencyKey: key), "the time says that it is the same")
    }

    @Test func anOpenUpdateIsSentAgainEvenIfThePageLooksCurrent() {
        let open = KnownNote(page: page(hash: current), intent: intent(.update, hash: other))
        #expect(decide(open) == .writeAgain(idempotencyKey: nil))
        #expect(decide(open, policy: .hold) == .hold(open.intent!))
    }

    @Test func soManyUnknownOutcomesAreHeldUnlessAnOperatorSaysOtherwise() {
        var open = KnownNote(intent: intent(.create, count: 2))
        #expect(decide(open) == .hold(open.intent!))
        guard case .writeAgain = decide(open, limit: 3) else { return #expect(Bool(false)) }
        open.intent?.resolution = .retry
        guard case .writeAgain = decide(open) else { return #expect(Bool(false)) }
    }

    @Test func aRequestUnderWayIsWaitedFor() {
        var open = KnownNote(page: page(hash: current), intent: intent(.update))
        open.intent?.openFor = .seconds(3)
        #expect(decide(open) == .wait)
        #expect(decide(open, policy: .hold) == .wait)
    }

    @Test func refusedContentIsNotSentAgainUntilItChanges() {
        let failure = KnownNote.Failure(code: "rejected", error: "e", hash: current, databaseID: Self.here)
        #expect(decide(KnownNote(failure: failure)) == .refused(failure))
        #expect(decide(KnownNote(failure: failure), full: true) == .refused(failure))
        var changed = failure
        changed.hash = other
        #expect(decide(KnownNote(failure: changed)) == .create)
        var elsewhere = failure
        elsewhere.databaseID = Self.elsewhere
        #expect(decide(KnownNote(failure: elsewhere)) == .create, "its properties are others")
    }

    @Test func refusedContentIsNotSentAgainForAnUnknownWrite() {
        let failure = KnownNote.Failure(code: "rejected", error: "e", hash: current, databaseID: Self.here)
        var known = KnownNote(intent: intent(.create, hash: other), failure: failure)
        #expect(decide(known) == .refused(failure))
        known.intent?.resolution = .retry
        #expect(decide(known) == .writeAgain(idempotencyKey: nil), "an operator wants it")
        known.intent?.resolution = nil
        known.failure?.hash = other
        #expect(decide(known) == .writeAgain(idempotencyKey: nil), "it has changed since")
    }

    @Test func aDeferredEditWaitsForAFullSyncOrItsNextChange() {
        let failure = KnownNote.Failure(code: "deferred", error: "e", hash: current, databaseID: Self.here)
        let known = KnownNote(page: page(hash: other), failure: failure)
        #expect(decide(known) == .deferred)
        #expect(decide(known, full: true) == .update(page: page(hash: other)))
        var changed = note
        changed.content = "Changed again"
        #expect(decide(known, changed) == .update(page: page(hash: other)))
    }

    /// Untitled and first in the list, its page was called "Note #3"; now it is at another position, or its owner calls
    /// it that.
    @Test func aTitleThatThePageGotFromThePositionIsNoChange() {
        var titled = note
        titled.title = "Note #3"
        titled.position = 7
        var shown = page(hash: ContentHasher.test.hashIfUntitled(note))
        shown.untitledNumber = 3
        #expect(decide(KnownNote(page: shown), titled) == .upToDate(record: true))
        titled.content = "Changed"
        #expect(decide(KnownNote(page: shown), titled) == .update(page: shown))
        titled.content = note.content
        shown.untitledNumber = 4
        #expect(decide(KnownNote(page: shown), titled) == .update(page: shown))
    }

    /// A rollback: the page was written after the update whose outcome nobody knows.
    @Test func anUnknownUpdateOfAPageThatTheReplacedServiceHasWrittenSinceIsOver() {
        var update = intent(.update, hash: other)
        update.pageID = "p"
        update.unknownAt = Date()
        #expect(decide(KnownNote(page: page(hash: nil), intent: update)) == .upToDate(record: true))
        #expect(
            decide(KnownNote(page: page(hash: nil, modified: 7), intent: update)) == .writeAgain(idempotencyKey: nil)
        )
        #expect(decide(KnownNote(page: page(hash: other), intent: update)) == .writeAgain(idempotencyKey: nil))
    }
}
