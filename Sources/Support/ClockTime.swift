package import Foundation

/// Times of day in messages that say until when something is waited for.
package enum ClockTime {
    /// The time that it will be so much later, in UTC: `14:03:21 UTC`, on another day `2026-01-02 14:03:21 UTC`.
    package static func after(_ duration: Duration, from now: Date = Date()) -> String {
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
        let text = now.addingTimeInterval(seconds).formatted(Date.ISO8601FormatStyle())
        let day = text.prefix(10)
        let time = "\(text.dropFirst(11).prefix(8)) UTC"
        return day == now.formatted(Date.ISO8601FormatStyle()).prefix(10) ? time : "\(day) \(time)"
    }
}
