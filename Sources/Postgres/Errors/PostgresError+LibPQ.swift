import CLibPQ

/// A field of an error or a notice. The header's `PG_DIAG_…` macros are characters, which Swift does not import.
///
/// Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol", section "Error and Notice Message Fields".
enum ErrorField: UnicodeScalar {
    case severity = "V"
    case sqlState = "C"
    case message = "M"
    case detail = "D"
    case hint = "H"
    case constraint = "n"
    case sourceFunction = "R"

    /// The field's text in a result, nil where the server sent none.
    func text(in result: OpaquePointer) -> String? {
        PQresultErrorField(result, Int32(bitPattern: rawValue.value)).map { String(cString: $0) }
    }
}

/// libpq's text on one line: its messages end in a line break and may hold several lines.
func singleLine(_ text: UnsafePointer<CChar>?) -> String {
    guard let text else { return "" }
    return String(cString: text).split(whereSeparator: \.isNewline)
        .map { $0.drop(while: \.isWhitespace) }
        .joined(separator: "; ")
}

extension PostgresError {
    /// The error that a failed result describes.
    init(failed result: OpaquePointer, file: String = #fileID, line: Int = #line) {
        let state = ErrorField.sqlState.text(in: result).map(SQLState.init(rawValue:))
        let message = ErrorField.message.text(in: result) ?? singleLine(PQresultErrorMessage(result))
        // A failure without SQLSTATE was made by libpq itself: the connection is gone.
        let code: Code = state == nil || state?.endsSession == true ? .connectionLost : .server
        self.init(code, message, sqlState: state, file: file, line: line)
        detail = ErrorField.detail.text(in: result)
        hint = ErrorField.hint.text(in: result)
        constraint = ErrorField.constraint.text(in: result)
    }
}
