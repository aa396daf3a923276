import CLibPQ
import Dispatch

/// A message sent by NOTIFY.
struct Notification: Sendable, Equatable {
    let channel: String
    let payload: String
}

extension PostgresConnection {
    /// Keeps the notifications that come during statements, for `takeNotifications`.
    func keepNotifications() {
        keepsNotifications = true
    }

    /// Lets go of notifications that nobody here waits for: a session that is another's tomorrow may have been left listening, and
    /// libpq would keep them all.
    func dropNotifications() {
        guard !keepsNotifications, let handle else { return }
        _ = received(handle)
    }

    /// Gives the notifications that have arrived to `deliver`, on the connection's own executor and so without a change of
    /// threads; waits for the first of them, at most for `patience`.
    ///
    /// Throws a ``PostgresError`` if the connection is lost, `CancellationError` if the task is cancelled.
    ///
    /// - Returns: how many there were.
    func takeNotifications(patience: Duration, deliver: @Sendable (Notification) -> Void) async throws -> Int {
        guard exchange == nil else {
            throw PostgresError(.connectionBusy, "The connection is busy: it takes one statement at a time")
        }
        guard let handle, let socket else {
            throw PostgresError(.connectionClosed, "The connection is closed")
        }
        let id = beginExchange(until: Exchange.Deadline(after: patience, .endWait))
        defer { endExchange() }
        return try await withTaskCancellationHandler {
            var arrived = received(handle)
            while arrived.isEmpty, exchange?.isWaitOver == false {
                try Task.checkCancellation()
                await becomeReady(socket, alsoForWriting: false)
                try takeIn(handle, socket)
                arrived = received(handle)
            }
            try Task.checkCancellation()
            arrived.forEach(deliver)
            return arrived.count
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

    private func received(_ handle: LibPQConnection) -> [Notification] {
        var notifications: [Notification] = []
        while let notification = PQnotifies(handle.pointer) {
            defer { PQfreemem(notification) }
            notifications.append(
                Notification(
                    channel: String(cString: notification.pointee.relname),
                    payload: String(cString: notification.pointee.extra)
                )
            )
        }
        return notifications
    }
}
