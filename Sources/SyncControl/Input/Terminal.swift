#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The terminal on standard input, and the person before it.
struct Terminal {
    /// The terminal; nil when standard input is none.
    init?() {
        guard isatty(STDIN_FILENO) == 1 else { return nil }
    }

    /// Asks a question that is answered by yes or no; anything but yes is no.
    func confirms(_ question: String) throws -> Bool {
        try StandardStream.error.write("\(question) [y/N] ")
        let answer = readLine() ?? ""
        return ["y", "yes"].contains(answer.lowercased())
    }

    /// Asks for a secret without showing what is typed.
    ///
    /// The terminal gives every key as it comes, Ctrl-C too, so that it is set back on every way out.
    /// - Throws: `SyncControlError`: `interrupted`, or `unusableInput` when the terminal can't be set.
    func secret(_ prompt: String) throws -> String {
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { throw unusable() }
        let before = settings
        settings.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        guard tcsetattr(STDIN_FILENO, TCSADRAIN, &settings) == 0 else { throw unusable() }
        defer {
            var before = before
            tcsetattr(STDIN_FILENO, TCSADRAIN, &before)
            StandardStream.error.note("")
        }
        try StandardStream.error.write(prompt)
        return try typedLine()
    }

    /// One byte a time: the rest of what was pasted belongs to the next question.
    private func typedLine() throws -> String {
        var line: [UInt8] = []
        while let byte = try nextByte() {
            switch byte {
            case UInt8(ascii: "\r"), UInt8(ascii: "\n"): return String(decoding: line, as: UTF8.self)
            case 0x03: throw SyncControlError(.interrupted, "Interrupted; nothing was stored.")
            case 0x04 where line.isEmpty: return ""
            case 0x04: continue
            case 0x08, 0x7F:
                // A character may be several bytes.
                while let last = line.popLast(), last & 0b1100_0000 == 0b1000_0000 {}
            case 0x15: line = []
            default: line.append(byte)
            }
        }
        return String(decoding: line, as: UTF8.self)
    }

    private func nextByte() throws -> UInt8? {
        var byte: UInt8 = 0
        while true {
            switch read(STDIN_FILENO, &byte, 1) {
            case 1: return byte
            case 0: return nil
            default:
                guard errno == EINTR else { throw unusable() }
            }
        }
    }

    private func unusable() -> SyncControlError {
        SyncControlError(
            .unusableInput,
            "The terminal can't be used (\(String(cString: strerror(errno)))). Give the tokens on stdin."
        )
    }
}
