import CLibPQ
import Logging

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

    init(logger: Logger) {
        self.logger = logger
    }
}

/// libpq's notice receiver: writes the notice into the log.
private func receiveNotice(_ context: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {
    guard let context, let result else { return }
    let log = Unmanaged<NoticeLog>.fromOpaque(context).takeUnretainedValue()
    let severity = ErrorField.severity.text(in: result) ?? "NOTICE"
    let message = ErrorField.message.text(in: result) ?? singleLine(PQresultErrorMessage(result))
    log.logger.debug("PostgreSQL: \(message)", metadata: ["severity": "\(severity)"])
}
