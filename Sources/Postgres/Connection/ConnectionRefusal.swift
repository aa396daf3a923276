import CLibPQ

/// Why a server refused a connection.
///
/// libpq keeps the SQLSTATE of a refusal to itself, and the text is in the server's language. So it is asked to connect
/// once more, with the SQLSTATE in its message; that attempt may succeed.
struct ConnectionRefusal {
    /// libpq's message of the first attempt.
    let message: String
    /// nil if no server refused: none could be reached, or the second attempt succeeded.
    let sqlState: SQLState?

    /// Tries once more if the first attempt, of `duration`, may have been refused by a server. What took longer is not
    /// tried again.
    ///
    /// - Parameter pointer: a connection that could not be made; made, perhaps, when this returns.
    init(_ pointer: OpaquePointer, after duration: Duration) {
        message = singleLine(PQerrorMessage(pointer))
        guard duration < HostOrder.longestRefusal else {
            sqlState = nil
            return
        }
        let verbosity = PQsetErrorVerbosity(pointer, PQERRORS_VERBOSE)
        defer { _ = PQsetErrorVerbosity(pointer, verbosity) }
        // libpq would write them to the standard error.
        _ = PQsetNoticeReceiver(pointer, { _, _ in }, nil)
        PQreset(pointer)
        sqlState = PQstatus(pointer) == CONNECTION_OK ? nil : Self.sqlState(in: singleLine(PQerrorMessage(pointer)))
    }

    /// The SQLSTATE in a message that has one: `SEVERITY:  SQLSTATE: text`. Of several hosts the last that answered.
    static func sqlState(in message: String) -> SQLState? {
        let codes = message.split(separator: ":  ").dropFirst().compactMap { rest -> Substring? in
            let code = rest.prefix(5)
            let isCode = code.count == 5 && code.allSatisfy { $0.isASCII && ($0.isNumber || $0.isUppercase) }
            return isCode && rest.dropFirst(5).hasPrefix(": ") ? code : nil
        }
        return codes.last.map { SQLState(rawValue: String($0)) }
    }
}
