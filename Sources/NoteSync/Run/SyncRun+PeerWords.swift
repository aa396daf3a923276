internal import Telemetry

extension SyncRun {
    /// A peer's words made fit for logs and tables: no secret, no text of the note, bounded.
    func clean(_ message: String, of note: KeepNote? = nil) -> String {
        var secrets = [credentials.googleToken, credentials.notionToken]
        if let note {
            let words = QuotedWords(in: message)
            let lines = [note.title[...]] + note.content.split(whereSeparator: \.isNewline)
            let quoted = Set(lines.lazy.filter { $0.utf8.count >= Self.shortestSecret && words.mayContain($0) })
            guard quoted.count <= Self.mostSecrets else {
                return
                    "A peer's words that can't be told from the note's; they are left out (\(message.utf8.count) bytes)."
            }
            secrets += quoted.map(String.init)
        }
        let redactor = Redactor(secrets: secrets.filter { $0.count >= Self.shortestSecret })
        return redactor.sanitize(redactor.redact(message), limit: 500)
    }

    /// Shorter words of a note stand in any message.
    private static let shortestSecret = 6
    /// Each is looked for in several spellings.
    private static let mostSecrets = 1_000
}

/// What a message may quote: a quick no for nearly every line of a long note.
///
/// A line that begins with four ASCII letters or digits begins so in every spelling of it, as JSON or percent-encoded; any
/// other may begin with a backslash or a percent sign.
struct QuotedWords {
    private var beginnings: Set<UInt32> = []
    private var hasEscapes = false

    init(in message: String) {
        var window: UInt32 = 0
        for byte in message.utf8 {
            window = window << 8 | UInt32(byte)
            beginnings.insert(window)
            if byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "%") { hasEscapes = true }
        }
    }

    /// - Parameter line: of four bytes at least.
    func mayContain(_ line: Substring) -> Bool {
        let beginning = line.utf8.prefix(4)
        if beginnings.contains(beginning.reduce(0) { $0 << 8 | UInt32($1) }) { return true }
        return hasEscapes && !beginning.allSatisfy(\.isLetterOrDigit)
    }
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
