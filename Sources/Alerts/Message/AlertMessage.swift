package import Foundation
internal import Support

/// One message to people, as the channels put it in their own forms.
package struct AlertMessage: Sendable {
    package enum Event: String, Sendable {
        /// The condition arose.
        case trigger
        /// It goes on, and has grown.
        case `repeat`
        /// It is over.
        case resolve
        /// A channel was given more than it may send.
        case heldBack = "held_back"
        /// Somebody wants to see whether messages arrive.
        case test
    }

    /// The same at every try and on every channel.
    package var id: UUID
    package var event: Event
    /// What it is about; nil for `heldBack` and `test`.
    package var kind: AlertKind?
    /// The condition: what has the same key is the same.
    package var key: String
    package var count: Int
    package var jobID: UUID?
    package var userID: String?
    /// Some of those concerned.
    package var users: [String] = []
    package var error: String?
    /// Kinds of the messages that were held back.
    package var kinds: [String] = []
    package var firstAt: Date
    package var lastAt: Date
    /// The installation it comes from.
    package var source: String

    /// A message that says that all is well.
    package static func test(source: String, at time: Date = Date()) -> AlertMessage {
        AlertMessage(
            id: .random(),
            event: .test,
            kind: nil,
            key: "test",
            count: 1,
            firstAt: time,
            lastAt: time,
            source: source
        )
    }

    var severity: AlertSeverity {
        switch event {
        case .test: .info
        case .heldBack: kinds.contains { AlertKind(rawValue: $0)?.severity == .critical } ? .critical : .warning
        case .trigger, .repeat, .resolve: kind?.severity ?? .error
        }
    }

    /// The id as webhooks carry it.
    var webhookID: String { "msg_" + id.uuidString.lowercased() }
}
