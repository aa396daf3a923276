import Testing

@testable import NoteSync

@Suite struct KeepTimestampTests {
    @Test(
        arguments: [
            ("2026-01-02T03:04:05.123456", 1_767_323_045_123_456),
            ("2026-01-02T03:04:05", 1_767_323_045_000_000),
            ("2026-01-02 03:04:05", 1_767_323_045_000_000),
            ("2026-01-02T03:04:05Z", 1_767_323_045_000_000),
            ("2026-01-02T05:04:05+02:00", 1_767_323_045_000_000),
            ("2026-01-02T05:04:05.5+0200", 1_767_323_045_500_000),
            ("2026-01-01T21:34:05-05:30", 1_767_323_045_000_000),
            ("2026-01-02T03:04:05.123456789Z", 1_767_323_045_123_456),
            ("1970-01-01T00:00:00", 0),
            ("1969-12-31T23:59:59.999999", -1),
            ("2024-02-29T00:00:00", 1_709_164_800_000_000),
        ] as [(String, Int64)]
    )
    func readsEveryForm(text: String, microseconds: Int64) {
        #expect(KeepTimestamp(text)?.microseconds == microseconds)
    }

    @Test(arguments: [
        "", "2026", "2026-01-02", "2026-13-02T03:04:05", "2025-02-29T00:00:00", "2026-01-02T24:00:00",
        "2026-01-02T03:04:05+", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05 +02:00", "yesterday",
        "2026-01-02T03:04:05+02:00x", "٢٠٢٦-01-02T03:04:05", "2026-01-02T03:04",
    ])
    func refusesWhatIsNoTime(text: String) {
        #expect(KeepTimestamp(text) == nil)
    }

    @Test func writesNaiveTextThatReadsBack() {
        for microseconds in [0, -1, 1_767_323_045_123_456, 1_709_164_800_000_000, -62_135_596_800_000_000] as [Int64] {
            let time = KeepTimestamp(microseconds: microseconds)
            #expect(KeepTimestamp(time.naiveText) == time)
            #expect(KeepTimestamp(time.offsetText) == time)
            #expect(!time.naiveText.contains("+"))
        }
        #expect(KeepTimestamp(microseconds: 1_767_323_045_000_000).naiveText == "2026-01-02T03:04:05.000000")
    }

    @Test func goesThroughDatesExactly() {
        for microseconds in [1, 999_999, 1_767_323_045_123_457, 4_102_444_799_999_999] as [Int64] {
            let time = KeepTimestamp(microseconds: microseconds)
            #expect(KeepTimestamp(time.date) == time)
        }
    }

    @Test func everyDayFrom1900To2100ReadsBack() {
        for day in Int64(-25567)...47482 {
            let (year, month, dayOfMonth) = CivilDate.fromDays(day)
            #expect(CivilDate.days(year: year, month: month, day: dayOfMonth) == day)
        }
    }
}
