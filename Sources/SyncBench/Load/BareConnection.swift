import CLibPQ
import Foundation

/// A blocking connection to PostgreSQL with nothing between the caller and libpq; for one thread at a time.
final class BareConnection {
    private let handle: OpaquePointer

    init(_ url: String) throws {
        guard let handle = PQconnectdb(url) else { throw BenchError("libpq is out of memory") }
        self.handle = handle
        guard PQstatus(handle) == CONNECTION_OK else { throw BenchError(String(cString: PQerrorMessage(handle))) }
    }

    deinit {
        PQfinish(handle)
    }

    /// Runs a statement without parameters.
    func execute(_ sql: String) throws {
        try check(PQexec(handle, sql))
    }

    func prepare(_ name: String, _ sql: String) throws {
        try check(PQprepare(handle, name, sql, 0, nil))
    }

    /// Runs a prepared statement and gives the first column of its rows.
    @discardableResult
    func execute(prepared name: String, _ values: [String] = []) throws -> [String] {
        let copies = values.map { strdup($0) }
        defer { copies.forEach { free($0) } }
        let pointers = copies.map { UnsafePointer($0) }
        let result = PQexecPrepared(handle, name, Int32(values.count), pointers, nil, nil, 0)
        defer { PQclear(result) }
        try checkStatus(result)
        return (0..<PQntuples(result)).map { String(cString: PQgetvalue(result, $0, 0)) }
    }

    /// Runs a statement with its values, parsed anew each time, as a client without prepared statements does.
    func execute(_ sql: String, _ values: [String]) throws {
        let copies = values.map { strdup($0) }
        defer { copies.forEach { free($0) } }
        let pointers = copies.map { UnsafePointer($0) }
        try check(PQexecParams(handle, sql, Int32(values.count), nil, pointers, nil, nil, 0))
    }

    /// Waits for a notification, at most so long, and takes all that have come.
    func waitForNotifications(atMost milliseconds: Int32) throws {
        if !takeNotifications() {
            var request = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
            guard poll(&request, 1, milliseconds) > 0 else { return }
            guard PQconsumeInput(handle) == 1 else { throw BenchError(String(cString: PQerrorMessage(handle))) }
            _ = takeNotifications()
        }
    }

    private func takeNotifications() -> Bool {
        var isAny = false
        while let notification = PQnotifies(handle) {
            PQfreemem(notification)
            isAny = true
        }
        return isAny
    }

    private func check(_ result: OpaquePointer?) throws {
        defer { PQclear(result) }
        try checkStatus(result)
    }

    private func checkStatus(_ result: OpaquePointer?) throws {
        let status = PQresultStatus(result)
        guard status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK else {
            throw BenchError(String(cString: PQerrorMessage(handle)))
        }
    }
}

/// Runs blocking work on a thread of its own.
func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Result { try body() }) }
        thread.start()
    }
}
