import Foundation
import Postgres

/// Times in the verdict's sentences, which are short; findings have the exact ones beside.
struct SentenceTime: Sendable {
    /// By the database's clock.
    let now: Date

    /// `10:42 UTC`, on another day `2026-01-02 10:42 UTC`.
    func text(_ date: Date) -> String {
        guard date.infinityText == nil else { return date.infinityText ?? "" }
        let text = date.withFourDigitYear.formatted(Date.ISO8601FormatStyle())
        let today = now.withFourDigitYear.formatted(Date.ISO8601FormatStyle()).prefix(10)
        let time = "\(text.dropFirst(11).prefix(5)) UTC"
        return text.prefix(10) == today ? time : "\(text.prefix(10)) \(time)"
    }

    /// ` since 10:42 UTC`; nothing where it is not known.
    func since(_ date: Date?) -> String { date.map { " since \(text($0))" } ?? "" }

    /// ` until 10:42 UTC`, or what else ends it.
    func until(_ date: Date?, otherwise: String) -> String { date.map { "until \(text($0))" } ?? otherwise }
}
