import Foundation
import TestSupport
import Testing

@testable import NoteSync

/// Times, whole and spoiled, against the C library and Foundation.
@Suite struct KeepTimestampFuzzTests {
    private static let words = [
        "-", ":", "T", " ", "Z", "+", "+23:59", "-00:00", ".", ",", "00", "60", "31", "29", "٣", "\u{0}",
    ]

    /// Any moment of the years 1 to 9999.
    private func moment(_ random: inout SeededGenerator) -> KeepTimestamp {
        KeepTimestamp(microseconds: Int64.random(in: -62_135_596_800_000_000...253_402_300_799_999_999, using: &random))
    }

    @Test func whatIsWrittenReadsBack() {
        fuzz(runs: 10_000) { random, seed in
            let time = moment(&random)
            #expect(KeepTimestamp(time.naiveText) == time, "SYNC_FUZZ_SEED=\(seed)")
            #expect(KeepTimestamp(time.offsetText) == time, "SYNC_FUZZ_SEED=\(seed)")
            #expect(KeepTimestamp(time.naiveText + "Z") == time, "SYNC_FUZZ_SEED=\(seed)")
        }
    }

    @Test func theCLibraryCountsTheSameSeconds() {
        fuzz(runs: 10_000) { random, seed in
            var parts = tm()
            let year = Int32.random(in: 1...9999, using: &random)
            parts.tm_year = year - 1900
            parts.tm_mon = Int32.random(in: 0...11, using: &random)
            parts.tm_mday = Int32.random(in: 1...31, using: &random)
            parts.tm_hour = Int32.random(in: 0...23, using: &random)
            parts.tm_min = Int32.random(in: 0...59, using: &random)
            parts.tm_sec = Int32.random(in: 0...59, using: &random)
            let (month, day) = (parts.tm_mon, parts.tm_mday)
            let minutes = Int.random(in: -1439...1439, using: &random)
            let text = String(
                format: "%04d-%02d-%02dT%02d:%02d:%02d%@%02d:%02d",
                year,
                month + 1,
                day,
                parts.tm_hour,
                parts.tm_min,
                parts.tm_sec,
                minutes < 0 ? "-" : "+",
                abs(minutes) / 60,
                abs(minutes) % 60
            )
            let seconds = timegm(&parts)
            // A day that does not exist was moved to the next month.
            let exists = parts.tm_mday == day && parts.tm_mon == month
            let expected = exists ? Int64(seconds - minutes * 60) * 1_000_000 : nil
            #expect(KeepTimestamp(text)?.microseconds == expected, "SYNC_FUZZ_SEED=\(seed): \(text)")
        }
    }

    @Test func aSpoiledTimeIsRefusedOrReadAsFoundationReadsIt() {
        var accepted = 0
        fuzz(runs: 10_000) { random, seed in
            let forms = [
                moment(&random).naiveText, moment(&random).offsetText, "2026-01-02T03:04:05Z",
                "2024-02-29 00:00:00,5-0530",
            ]
            let text = String(decoding: random.mutate(Array(random.pick(forms).utf8), words: Self.words), as: UTF8.self)
            guard let time = KeepTimestamp(text) else { return }
            accepted += 1
            // Up to a day outside the years 1 to 9999, by the offset.
            #expect(
                (-62_135_683_200_000_000...253_402_387_199_999_999).contains(time.microseconds),
                "SYNC_FUZZ_SEED=\(seed)"
            )
            guard let date = try? Date(text, strategy: .iso8601), time.microseconds > 0 else { return }
            #expect(abs(date.timeIntervalSince(time.date)) < 1.001, "SYNC_FUZZ_SEED=\(seed): \(text)")
        }
        #expect(accepted > 200)
    }
}
