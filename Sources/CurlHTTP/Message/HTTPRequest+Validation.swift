extension HTTPRequest {
    /// What makes the request unfit to be sent, or nil.
    ///
    /// A line end in a header would let its value add headers, and framing headers of the caller would contradict
    /// the ones that follow from the body.
    var fault: String? {
        if method.rawValue.isEmpty || !method.rawValue.utf8.allSatisfy(\.isTokenCharacter) {
            return "the method is not an HTTP token"
        }
        for field in sentHeaders {
            if field.name.isEmpty || !field.name.utf8.allSatisfy(\.isTokenCharacter) {
                return "a header name is empty or has a character that is not allowed"
            }
            if field.value.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D || $0 == 0 }) {
                return "the value of header \(field.name) has a line end or a NUL"
            }
            if Self.framingHeaders.contains(where: field.name.equalsIgnoringCase) {
                return "header \(field.name) is set by the client itself; leave it out"
            }
        }
        if timeout <= .zero { return "the timeout is not positive" }
        if maximumResponseBytes < 0 { return "maximumResponseBytes is negative" }
        return signature == nil ? nil : signingFault
    }

    /// curl signs every header it is given, so none may be there that it would leave out when sending.
    private var signingFault: String? {
        if body != nil, !headers.contains(name: "Content-Type") { return "a signed body needs a Content-Type" }
        let empty = sentHeaders.first { $0.value.isEmpty }
        return empty.map { "header \($0.name) of a signed request is empty" }
    }

    private static let framingHeaders = ["Content-Length", "Transfer-Encoding", "Expect", "Connection"]
}

extension UInt8 {
    /// RFC 9110, section 5.6.2.
    fileprivate var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default:
            "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }
}
