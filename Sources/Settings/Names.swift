#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The names of workers.
enum WorkerName {
    /// A name that no other worker has: host, process, four random hexadecimal digits (containers share process
    /// numbers and sometimes host names).
    static func generated() -> String {
        let random = String(UInt16.random(in: 0x1000...0xFFFF), radix: 16)
        let host = hostName().map { isAllowed($0) ? $0 : "-" }
        return "\(String(host).prefix(80))-\(getpid())-\(random)"
    }

    static func isValid(_ text: String) -> Bool {
        text.count <= 100 && text.allSatisfy(isAllowed)
    }

    private static func isAllowed(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || "._-:@".contains(character))
    }

    private static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "worker" }
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return name.isEmpty ? "worker" : name
    }
}

/// The names of hosts to listen on.
enum HostName {
    static func isValid(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && !text.contains("/")
    }

    /// The host as names are compared: in lower case, an IPv6 address without its brackets.
    static func bare(_ text: String) -> String {
        let text = text.lowercased()
        return text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
    }
}
