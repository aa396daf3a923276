/// What a failed call of the Notion Writer means.
enum NotionFault: Sendable, Equatable {
    /// The user's token is bad: no more calls for this user.
    case tokenInvalid
    /// The database is gone or not shared: no more calls for this user.
    case databaseGone
    /// The page was deleted or is no longer shared.
    case pageGone
    /// The user put the page in the trash.
    case pageTrashed
    /// Wait and try again; spends nothing.
    case throttled(retryAfter: Duration?)
    /// This note can't be written as it is.
    case rejected
    /// The address is not that of a Notion Writer, or of one that does not know this call.
    case notAWriter
    /// Nothing was sent.
    case unreachable
    /// It may or may not have been written. Without an answer nothing is known at all.
    case unknown(answered: Bool, retryAfter: Duration? = nil)
    /// The request was broken off before it was sent: the lease ran out or the task was cancelled.
    case brokenOff
}

extension NotionFault {
    /// The table of messages. The writer wraps every error of Notion in a 500; only its text tells what it was. The first
    /// row that matches counts: what says more stands above what says less.
    private static let messages: [(fragments: [String], fault: NotionFault)] = [
        (["api token is invalid", "unauthorized"], .tokenInvalid),
        (["could not find database"], .databaseGone),
        (["could not find page", "could not find block"], .pageGone),
        (["archived", "in trash"], .pageTrashed),
        (["rate_limited", "rate limit", "429"], .throttled(retryAfter: nil)),
        (["validation_error", "should be", "body failed validation"], .rejected),
    ]

    /// Classifies an answer with an error status.
    ///
    /// - Parameter creates: whether the call was to create a page. What is in the trash is then the database.
    init(status: Int, message: String, retryAfter: Duration?, creates: Bool) {
        let text = Self.notionMessage(message).lowercased()
        let matched = Self.messages.first { row in row.fragments.contains { text.contains($0) } }?.fault
        switch (status, matched) {
        case (422, _): self = .rejected
        case (429, _), (_, .throttled): self = .throttled(retryAfter: retryAfter)
        case (_, .pageTrashed) where creates: self = .databaseGone
        case (_, .pageGone) where creates: self = .databaseGone
        case (_, .some(let fault)): self = fault
        case (401, nil), (403, nil), (404, nil), (405, nil): self = .notAWriter
        case (408, nil): self = .unknown(answered: true, retryAfter: retryAfter)
        case (400..<500, nil): self = .rejected
        default: self = .unknown(answered: true, retryAfter: retryAfter)
        }
    }

    /// The part of the writer's text that Notion wrote.
    private static func notionMessage(_ detail: String) -> Substring {
        for prefix in ["Failed to create Notion page: ", "Failed to update Notion page: "]
        where detail.hasPrefix(prefix) {
            return detail.dropFirst(prefix.count)
        }
        return detail[...]
    }
}
