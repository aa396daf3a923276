import Foundation
import Support

/// Every call of the peers' own routes in the order of arrival: when it came, what the fault plan had in store, when
/// its work was done and what that was. Kept only where asked for (`--record-calls`), since it grows with every call.
final class CallLog: Sendable {
    /// One call. Times are microseconds since 1970 by this machine's clock.
    struct Record: Sendable, Encodable {
        let number: Int
        let peer: Peer
        let operation: Operation
        let receivedAt: Int64
        var username: String?
        var databaseID: String?
        /// The page an update is for.
        var pageID: String?
        var title: String?
        var content: String?
        var idempotencyKey: String?
        /// The fault that struck, if any.
        var fault: String?
        var workedAt: Int64?
        /// `created`, `replayed` or `updated`, and the page; nil where nothing was written.
        var effect: String?
        var effectPageID: String?
        /// What Notion said against it.
        var refusal: String?
        /// nil while the call is in flight.
        var endedAt: Int64?

        private enum CodingKeys: String, CodingKey {
            case number, peer, operation, username, title, content, fault, effect, refusal
            case receivedAt = "received_at"
            case databaseID = "database_id"
            case pageID = "page_id"
            case idempotencyKey = "idempotency_key"
            case workedAt = "worked_at"
            case effectPageID = "effect_page_id"
            case endedAt = "ended_at"
        }
    }

    /// What a call has done to the pages.
    enum Effect: String, Sendable { case created, replayed, updated }

    /// The number of the call that this task answers.
    @TaskLocal private static var current: Int?

    private let isKept: Bool
    private let records = Mutex<[Record]>([])

    init(isKept: Bool) { self.isKept = isKept }

    var all: [Record] { records.withLock { $0 } }

    /// Answers a call; what its work reports meanwhile is kept with it.
    func during<Value>(
        _ call: PeerCall,
        fault: Fault?,
        body: () async throws -> Value
    ) async rethrows -> Value {
        guard isKept else { return try await body() }
        let number = begin(call, fault: fault)
        defer { change(number) { $0.endedAt = Self.now } }
        return try await Self.$current.withValue(number) { try await body() }
    }

    func report(_ effect: Effect, page: String) {
        guard let number = Self.current else { return }
        change(number) { record in
            record.workedAt = Self.now
            record.effect = effect.rawValue
            record.effectPageID = page
        }
    }

    func reportRefusal(_ message: String) {
        guard let number = Self.current else { return }
        change(number) { record in
            record.workedAt = Self.now
            record.refusal = message
        }
    }

    private func begin(_ call: PeerCall, fault: Fault?) -> Int {
        records.withLock { records in
            records.append(
                Record(
                    number: records.count,
                    peer: call.peer,
                    operation: call.operation,
                    receivedAt: Self.now,
                    username: call.username,
                    databaseID: call.databaseID,
                    pageID: call.pageID,
                    title: call.title,
                    content: call.content,
                    idempotencyKey: call.idempotencyKey,
                    fault: fault.map { "\($0)" }
                )
            )
            return records.count - 1
        }
    }

    private func change(_ number: Int, _ body: (inout Record) -> Void) {
        records.withLock { body(&$0[number]) }
    }

    private static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1_000_000) }
}
