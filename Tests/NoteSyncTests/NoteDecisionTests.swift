import Foundation
import Testing

@testable import NoteSync

@Suite struct NoteDecisionTests {
    private static let start = Date(timeIntervalSince1970: 1_000_000)
    private let note = KeepNote(
        id: "1",
        title: "T",
        content: "C",
        createdAt: "",
        modifiedAt: KeepTimestamp(microseconds: 42),
        labels: [],
        images: []
    )

    private func decide(
        _ known: KnownNote,
        full: Bool = false,
        policy: SyncConfiguration.UnknownCreates = .retry
    ) -> NoteDecision {
        NoteDecision(
            note,
            hash: ContentHash(note),
            known: known,
            job: NoteDecision.JobView(isFullSync: full, startedAt: Self.start),
            unknownCreates: policy
        )
    }

    private func page(
        hash: ContentHash?,
        modified: Int64 = 42,
        synced: Date = start - 100
    ) -> KnownNote.Page {
        KnownNote.Page(
            id: "p",
            modifiedAt: KeepTimestamp(microseconds: modified),
            hash: hash,
            untitledNumber: nil,
            lastSyncedAt: synced
        )
    }

    private var current: ContentHash { ContentHash(note) }
    private let other = ContentHash(text: "1:other")

    @Test func aNewNoteIsCreated() {
        #expect(decide(.unknown) == .create(idempotencyKey: nil))
        #expect(decide(.unknown, full: true) == .create(idempotencyKey: nil))
    }

    @Test func theSameContentIsPassedOver() {
        #expect(decide(KnownNote(page: page(hash: current))) == .upToDate(record: false))
        #expect(decide(KnownNote(page: page(hash: current, modified: 1))) == .upToDate(record: true))
        #expect(decide(KnownNote(page: page(hash: current), hasFailed: true)) == .upToDate(record: true))
    }

    @Test func changedContentIsWrittenWhateverItsTime() {
        let changed = page(hash: other)
        #expect(decide(KnownNote(page: changed)) == .update(page: changed))
    }

    @Test func aPageOfTheReplacedServiceIsJudgedByItsTime() {
        #expect(decide(KnownNote(page: page(hash: nil))) == .upToDate(record: true))
        let older = page(hash: nil, modified: 1)
        #expect(decide(KnownNote(page: older)) == .update(page: older))
    }

    @Test func aFullSyncWritesEveryNoteOnce() {
        let before = page(hash: current)
        #expect(decide(KnownNote(page: before), full: true) == .update(page: before))
        let written = page(hash: current, synced: Self.start + 1)
        #expect(decide(KnownNote(page: written), full: true) == .upToDate(record: false))
        let editedSince = page(hash: other, synced: Self.start + 1)
        #expect(decide(KnownNote(page: editedSince), full: true) == .update(page: editedSince))
    }

    @Test func anOpenCreateIsTriedAgainWithItsKeyOrHeld() {
        let key = UUID()
        let open = KnownNote(intent: .init(operation: .create, idempotencyKey: key, hash: other))
        #expect(decide(open) == .create(idempotencyKey: key))
        #expect(decide(open, policy: .hold) == .hold)
        var settled = open
        settled.intent?.resolution = .retry
        #expect(decide(settled, policy: .hold) == .create(idempotencyKey: key))
        settled.intent?.resolution = .hold
        #expect(decide(settled) == .hold)
    }

    @Test func anOpenUpdateIsSentAgainEvenIfThePageLooksCurrent() {
        let page = page(hash: current)
        let open = KnownNote(page: page, intent: .init(operation: .update, idempotencyKey: UUID(), hash: other))
        #expect(decide(open) == .update(page: page))
        #expect(decide(open, policy: .hold) == .hold)
    }
}
