import Foundation
import Testing

@testable import NoteSync

@Suite struct SyncPositionTests {
    private func time(_ seconds: Int64) -> KeepTimestamp { KeepTimestamp(microseconds: seconds * 1_000_000) }

    private func position(
        cursor: Int64?,
        failed: [String] = [],
        oldestFailed: Int64? = nil,
        now: Int64 = 10_000
    ) -> SyncPosition {
        SyncPosition(
            cursor: cursor.map(time),
            version: 0,
            now: time(now),
            failedNotes: failed,
            oldestFailed: oldestFailed.map(time)
        )
    }

    private func since(_ position: SyncPosition, full: Bool = false) -> KeepTimestamp? {
        position.modifiedSince(isFullSync: full, lookback: .seconds(600))
    }

    @Test func asksForAllRatherThanForTimesBeforeTheFirstYear() {
        var position = SyncPosition(
            cursor: KeepTimestamp("2026-01-02T00:00:00"),
            version: 0,
            now: KeepTimestamp(Date(timeIntervalSince1970: 2_000_000_000)),
            failedNotes: ["a"],
            oldestFailed: KeepTimestamp("0001-01-01T00:05:00")
        )
        #expect(position.modifiedSince(isFullSync: false, lookback: .seconds(600)) == nil)
        position.oldestFailed = KeepTimestamp("0001-01-01T00:10:00")
        #expect(position.modifiedSince(isFullSync: false, lookback: .seconds(600)) != nil)
    }

    @Test func asksForAllWhenNoNoteHasATime() {
        // The extractor's word for a note without a time is the first moment of year 1.
        let position = SyncPosition(
            cursor: KeepTimestamp("0001-01-01T00:00:00"),
            version: 0,
            now: KeepTimestamp(Date(timeIntervalSince1970: 2_000_000_000)),
            failedNotes: [],
            oldestFailed: nil
        )
        #expect(position.modifiedSince(isFullSync: false, lookback: .seconds(600)) == nil)
    }

    @Test func asksFromTheCursorLessTheLookback() {
        #expect(since(position(cursor: 5000)) == time(4400))
    }

    @Test func asksForEverythingWithoutACursorOrInAFullSync() {
        #expect(since(position(cursor: nil)) == nil)
        #expect(since(position(cursor: 5000), full: true) == nil)
    }

    @Test func asksForFailedNotesAgainHoweverOld() {
        #expect(since(position(cursor: 5000, failed: ["a"], oldestFailed: 1000)) == time(400))
        #expect(since(position(cursor: 5000, failed: ["a"], oldestFailed: 6000)) == time(4400))
        #expect(since(position(cursor: 5000, failed: ["a"], oldestFailed: nil)) == nil)
    }

    @Test func aCursorAheadOfTheClockIsNotBelieved() {
        #expect(since(position(cursor: 999_999)) == time(9_400))
    }

    @Test func aNoteFromTheFutureDoesNotCountForTheCursor() {
        #expect(position(cursor: 1).isPast(time(10_000)))
        #expect(!position(cursor: 1).isPast(time(10_001)))
    }
}
