import CLibPQ
import Logging
import Support

/// The owner of one libpq connection, closed when the last reference to it goes.
final class LibPQConnection: Sendable {
    // Unsafe only for the compiler: every call on it is made on the executor of the PostgresConnection that owns it.
    nonisolated(unsafe) let pointer: OpaquePointer
    /// The token that cancels this connection's statement from another thread.
    let cancelToken: LibPQCancelToken?
    private let notices: NoticeLog

    /// Takes over a pointer that `PQconnectdbParams` returned, connected or not.
    init(taking pointer: OpaquePointer, logger: Logger) {
        self.pointer = pointer
        self.cancelToken = PQgetCancel(pointer).map(LibPQCancelToken.init(taking:))
        self.notices = NoticeLog(logger: logger)
        // Unretained is right: `notices` lives as long as the pointer, and libpq calls it only through the pointer.
        _ = PQsetNoticeReceiver(pointer, receiveNotice, Unmanaged.passUnretained(notices).toOpaque())
    }

    deinit {
        PQfinish(pointer)
    }

    /// Whether the server has said, since this was last asked, that a commit did not wait for its standby.
    func takeUnreplicatedCommit() -> Bool { notices.hasUnreplicatedCommit.exchange(false, ordering: .relaxed) }

    var isBad: Bool { PQstatus(pointer) != CONNECTION_OK }

    /// libpq's last message on one line.
    var errorMessage: String { singleLine(PQerrorMessage(pointer)) }
}

/// The owner of a libpq cancel token.
final class LibPQCancelToken: Sendable {
    // libpq documents PQcancel as safe from any thread; the token is never changed.
    nonisolated(unsafe) private let pointer: OpaquePointer

    init(taking pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        PQfreeCancel(pointer)
    }

    /// Asks the server to cancel the running statement. Blocks until the server has taken the request.
    func send() {
        var reason = [CChar](repeating: 0, count: 256)
        // A refused request needs no answer of its own: the statement then runs on until its end or its timeout.
        _ = PQcancel(pointer, &reason, Int32(reason.count))
    }
}

/// Where the server's notices go.
private final class NoticeLog: Sendable {
    let logger: Logger
    let hasUnreplicatedCommit = Atomic<Bool>(false)

    init(logger: Logger) {
        self.logger = logger
    }
}

/// The function of the server that warns when a commit no longer waits for a synchronous standby, as the statement was
/// cancelled. The warning has a text in the server's language and the SQLSTATE of any warning.
///
/// Source: PostgreSQL, `src/backend/replication/syncrep.c`.
private let replicationWait = "SyncRepWaitForLSN"

/// libpq's notice receiver: writes the notice into the log, a warning as one. Its details may quote values and are left
/// out.
private func receiveNotice(_ context: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {
    guard let context, let result else { return }
    let log = Unmanaged<NoticeLog>.fromOpaque(context).takeUnretainedValue()
    let severity = ErrorField.severity.text(in: result) ?? "NOTICE"
    let message = ErrorField.message.text(in: result) ?? singleLine(PQresultErrorMessage(result))
    if ErrorField.sourceFunction.text(in: result) == replicationWait {
        log.hasUnreplicatedCommit.store(true, ordering: .relaxed)
    }
    log.logger.log(
        level: severity == "WARNING" ? .warning : .debug,
        "PostgreSQL: \(message)",
        metadata: ["severity": "\(severity)", "sqlstate": "\(ErrorField.sqlState.text(in: result) ?? "")"]
    )
}
