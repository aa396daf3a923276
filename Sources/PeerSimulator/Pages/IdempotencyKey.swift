/// An `Idempotency-Key` header: a structured-field string (RFC 8941 section 3.3.3), so quoted.
enum IdempotencyKey: Sendable, Equatable {
    case missing
    case malformed
    case given(String)

    /// The key itself, where there is one.
    var text: String? { if case .given(let text) = self { text } else { nil } }

    init(header: String?) {
        guard let header else {
            self = .missing
            return
        }
        let bytes = Array(header.utf8)
        guard bytes.count > 2, bytes.first == UInt8(ascii: "\""), bytes.last == UInt8(ascii: "\"") else {
            self = .malformed
            return
        }
        var key: [UInt8] = []
        var isEscaped = false
        for byte in bytes.dropFirst().dropLast() {
            if isEscaped {
                guard byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                    self = .malformed
                    return
                }
                key.append(byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") || byte < 0x20 || byte > 0x7E {
                self = .malformed
                return
            } else {
                key.append(byte)
            }
        }
        self = isEscaped ? .malformed : .given(String(decoding: key, as: UTF8.self))
    }
}
