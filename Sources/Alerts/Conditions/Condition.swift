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

    /// Begins the key of what is wrong with a peer: however that is found, it is one condition, and one alert at a time.
    static let peerPrefix = "peer:"

    /// Whether a condition can have a key of which there has been no alert yet: one that names no cause and no user.
    static func isKey(_ key: String) -> Bool {
        ["keep_extractor", "notion_writer"].contains { peerPrefix + $0 == key }
            || AlertKind.single.contains { $0.rawValue == key }
    }
}
