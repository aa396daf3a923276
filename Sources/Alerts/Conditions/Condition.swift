import Foundation

/// Something a check found to be wrong.
struct Condition: Sendable {
    var kind: AlertKind
    /// The same for as long as the same is wrong.
    var key: String
    var count = 1
    var jobID: UUID?
    var userID: String?
    var users: [String] = []
    var error: String?
    var since: Date
}
