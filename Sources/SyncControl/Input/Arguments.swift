import ArgumentParser
import JobQueue
import Settings

// How arguments become values. What throws here is a wrong use of the program.

extension UserID {
    /// A user's name as a person types it, as long as the tables can hold.
    static func argument(_ text: String) throws -> UserID {
        guard !text.isEmpty else { throw ValidationError("The name of the user is empty.") }
        // PostgreSQL counts code points.
        let length = text.unicodeScalars.count
        guard length <= 255 else {
            throw ValidationError("The name of the user has \(length) characters; 255 are allowed.")
        }
        return UserID(text)
    }

    /// The name of a user who is not in the tables yet. A character that nobody sees makes another user of it, for whom
    /// no job is ever enqueued.
    static func newArgument(_ text: String) throws -> UserID {
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw ValidationError("The name of the user has a control character: \"\(text.singleLine)\".")
        }
        guard text.first?.isWhitespace != true, text.last?.isWhitespace != true else {
            throw ValidationError("The name of the user begins or ends with a space: \"\(text.singleLine)\".")
        }
        return try argument(text)
    }
}

extension DueTime {
    static func argument(_ text: String) throws -> DueTime {
        guard let time = DueTime(text) else { throw ValidationError(fault(text)) }
        return time
    }
}

extension Duration {
    /// A length of time, `1ms` to `36500d`: times so far away from now have four digits for the year.
    static func argument(_ text: String) throws -> Duration {
        try argument(upTo: longestArgument)(text)
    }

    /// A length of time from `1ms` on.
    ///
    /// - Parameters:
    ///   - longest: what it may be at most.
    ///   - remark: what else is possible, for the error; nil: nothing.
    static func argument(
        upTo longest: Duration,
        _ remark: String? = nil
    ) -> @Sendable (String) throws -> Duration {
        { text in
            guard let duration = DurationText.parse(text), (.milliseconds(1)...longest).contains(duration) else {
                throw ValidationError(
                    "\"\(text.singleLine)\" is no duration that can be used; expected one from 1ms to "
                        + "\(DurationText.format(longest)), such as \(longest < .seconds(90) ? "5s" : "90s, 10m or 2h")."
                        + (remark.map { " \($0)" } ?? "")
                )
            }
            return duration
        }
    }

    static let longestArgument = Duration.seconds(36500 * 86400)
}

extension JobStatus {
    /// Any word: other programs may have written one that is none of the five.
    static func argument(_ text: String) -> JobStatus {
        JobStatus(rawValue: text.lowercased()) ?? .unknown(text)
    }
}
