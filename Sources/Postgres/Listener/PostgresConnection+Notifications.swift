import CLibPQ
import Dispatch
import Foundation

/// What a listener wants to know of the notifications that have arrived. They are compared as the bytes they are and
/// counted, not kept: anybody who may connect can send hundreds of thousands a second.
struct HeardNotifications: Sendable {
    /// All of them, also on other channels.
    var count = 0
    /// Channels, by their place in the list, on which one came whose payload is empty or the listener's own.
    var addressed: Set<Int> = []
    /// Channels on which there were others.
    var forOthers: Set<Int> = []
}

/// The channels of a listener and the payload that is its own, in the form in which libpq has them.
struct NotificationFilter: Sendable {
    private let channels: [ContiguousArray<CChar>]
    private let addressee: ContiguousArray<CChar>?

    /// - Parameter addressee: nil if every payload is for the listener.
    init(channels: [String], addressee: String?) {
        self.channels = channels.map(\.utf8CString)
        self.addressee = addressee?.utf8CString
    }

    fileprivate func sort(_ notification: PGnotify, into heard: inout HeardNotifications) {
        heard.count += 1
        guard let channel = channels.firstIndex(where: { Self.isEqual($0, notification.relname) }) else { return }
        let isAddressed =
            notification.extra.pointee == 0 || addressee.map { Self.isEqual($0, notification.extra) } ?? true
        if isAddressed { heard.addressed.insert(channel) } else { heard.forOthers.insert(channel) }
    }

    private static func isEqual(_ own: ContiguousArray<CChar>, _ text: UnsafePointer<CChar>) -> Bool {
        own.withUnsafeBufferPointer { buffer in buffer.baseAddress.map { strcmp($0, text) == 0 } ?? false }
    }
}

extension PostgresConnection {
    /// Keeps the notifications that come during statements, for `takeNotifications`.
    func keepNotifications() {
        keepsNotifications = true
    }

    /// Lets go of notifications that nobody here waits for: a session that is another's tomorrow may have been left
    /// listening, and libpq would keep them all.
    func dropNotifications() {
        guard !keepsNotifications, let handle else { return }
        var dropped = HeardNotifications()
        receive(handle, NotificationFilter(channels: [], addressee: nil), into: &dropped)
    }

    /// Gives what is to be known of the notifications that have arrived to `deliver`, on the connection's own executor
    /// and so without a change of threads; waits for the first of them, at most for `patience`.
    ///
    /// Throws a ``PostgresError`` if the connection is lost, `CancellationError` if the task is cancelled.
    ///
    /// - Returns: how many there were.
    func takeNotifications(
        _ filter: NotificationFilter,
        patience: Duration,
        deliver: @Sendable (HeardNotifications) -> Void
    ) async throws -> Int {
        guard exchange == nil else {
            throw PostgresError(.connectionBusy, "The connection is busy: it takes one statement at a time")
        }
        guard let handle, let socket else {
            throw PostgresError(.connectionClosed, "The connection is closed")
        }
        let id = beginExchange(until: Exchange.Deadline(after: patience, .endWait))
        defer { endExchange() }
        return try await withTaskCancellationHandler {
            var heard = HeardNotifications()
            receive(handle, filter, into: &heard)
            while heard.count == 0, exchange?.isWaitOver == false {
                try Task.checkCancellation()
                await becomeReady(socket, alsoForWriting: false)
                try takeIn(handle, socket)
                receive(handle, filter, into: &heard)
            }
            // The rest of a flood, as far as it is here.
            while heard.count > 0, heard.count < Self.mostAtOnce, socket.isReadable {
                let before = heard.count
                try takeIn(handle, socket)
                receive(handle, filter, into: &heard)
                if heard.count == before { break }
            }
            try Task.checkCancellation()
            if heard.count > 0 { deliver(heard) }
            return heard.count
        } onCancel: {
            executor.queue.async { self.assumeIsolated { $0.endWait(id) } }
        }
    }

    private func takeIn(_ handle: LibPQConnection, _ socket: SocketReadiness) throws {
        guard socket.isReadable else { return }
        guard PQconsumeInput(handle.pointer) == 1 else {
            let message = handle.errorMessage
            close()
            throw PostgresError(.connectionLost, "The connection to PostgreSQL was lost: \(message)")
        }
    }

    func endWait(_ id: UInt64) {
        guard exchange?.id == id else { return }
        exchange?.isWaitOver = true
        socketBecameReady()
    }

    private static let mostAtOnce = 100_000

    private func receive(
        _ handle: LibPQConnection,
        _ filter: NotificationFilter,
        into heard: inout HeardNotifications
    ) {
        while let notification = PQnotifies(handle.pointer) {
            filter.sort(notification.pointee, into: &heard)
            PQfreemem(notification)
        }
    }
}
