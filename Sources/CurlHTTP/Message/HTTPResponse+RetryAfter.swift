import CCurl
import Foundation

extension HTTPResponse {
    /// Wait that the server asks for by `Retry-After` (RFC 9110, section 10.2.3), zero to 24 hours; nil if there is
    /// none or it cannot be understood.
    ///
    /// A date is taken relative to the response's own `Date`, so that a clock that is off does not matter, and to
    /// the local clock only without one.
    public var retryAfter: Duration? {
        retryAfter(now: Int(Date().timeIntervalSince1970))
    }

    /// - Parameter now: Local time in seconds since 1970.
    func retryAfter(now: Int) -> Duration? {
        guard let value = headers["Retry-After"], let first = value.utf8.first else { return nil }
        if value.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            // Digits that do not fit an Int are a number all the same, and a large one.
            return .seconds(min(Int(value) ?? Self.longestWait, Self.longestWait))
        }
        // curl reads the three forms of an HTTP-date, all of which begin with the name of a day.
        guard (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first), let date = Self.seconds(ofDate: value) else {
            return nil
        }
        let reference = headers["Date"].flatMap(Self.seconds(ofDate:)) ?? now
        return .seconds(min(max(date - reference, 0), Self.longestWait))
    }

    private static let longestWait = 24 * 60 * 60

    private static func seconds(ofDate text: String) -> Int? {
        let time = curl_getdate(text, nil)
        return time < 0 ? nil : Int(time)
    }
}
