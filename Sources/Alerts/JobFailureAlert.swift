public import Foundation

/// News of a job that failed for good.
public struct JobFailureAlert: Sendable, Equatable {
    public var jobID: UUID
    public var userID: String
    /// What went wrong, in words fit for a person outside: no secret, no content of a note.
    public var error: String

    public init(jobID: UUID, userID: String, error: String) {
        self.jobID = jobID
        self.userID = userID
        self.error = error
    }
}

/// The alert as the webhook takes it: the fields of the service that this one replaces, `text` being what Slack and
/// its likes show.
struct WebhookMessage: Encodable {
    let text: String
    let jobID: String
    let userID: String
    let error: String

    private enum CodingKeys: String, CodingKey {
        case text
        case jobID = "job_id"
        case userID = "user_id"
        case error
    }

    init(_ alert: JobFailureAlert) {
        // PostgreSQL and Python write identifiers in lower case.
        jobID = alert.jobID.uuidString.lowercased()
        userID = alert.userID
        error = String(alert.error.prefix(Self.longestError))
        text = "Sync job \(jobID) of user \(userID) failed: \(error)"
    }

    /// In characters: chat services refuse longer messages.
    private static let longestError = 2000
}
