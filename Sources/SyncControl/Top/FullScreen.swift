import Support

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The terminal, with a screen of this program's own that takes the place of what was on it until it is closed.
///
/// Keys come as they are typed, Ctrl-C too. What is drawn on the alternate screen is gone with it (xterm's control
/// sequences, DECSET 1049 and 25).
struct FullScreen {
    private let before: termios

    /// Tenths of a second after which a read without a key returns, so that the reader can end.
    private static let readTimeout: cc_t = 1

    /// - Throws: `SyncControlError`: `usage` where standard input or output is no terminal, `unusableInput` when it
    ///   can't be set.
    static func open() throws -> FullScreen {
        guard isatty(STDIN_FILENO) == 1, StandardStream.output.isTerminal else {
            throw SyncControlError(
                .usage,
                "syncctl top needs a terminal for its keys and its screen, and this is none. One look without it: syncctl top --json"
            )
        }
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { throw unusable() }
        let screen = FullScreen(before: settings)
        settings.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        // VMIN and VTIME are indices of a C array, which Swift has as a tuple.
        withUnsafeMutableBytes(of: &settings.c_cc) { keys in
            keys[Int(VMIN)] = 0
            keys[Int(VTIME)] = readTimeout
        }
        guard tcsetattr(STDIN_FILENO, TCSADRAIN, &settings) == 0 else { throw unusable() }
        do {
            try StandardStream.output.write("\u{1B}[?1049h\u{1B}[?25l")
        } catch {
            screen.close()
            throw error
        }
        return screen
    }

    /// Gives the terminal back as it was.
    func close() {
        // Where the terminal is gone there is nothing to give back.
        try? StandardStream.output.write("\u{1B}[0m\u{1B}[?25h\u{1B}[?1049l")
        var before = before
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before)
    }

    /// Columns and rows as they are now.
    var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Draws lines from the top, over what was there.
    ///
    /// A line is erased before it is written: behind one that fills the last column the cursor still stands in it.
    ///
    /// - Parameter rows: those of the terminal; no more lines than that.
    /// - Throws: `SyncControlError` with code `outputFailed`.
    func draw(_ lines: [String], rows: Int) throws {
        let text = lines.map { "\u{1B}[2K\($0)" }.joined(separator: "\r\n")
        let rest = lines.count < rows ? "\r\n\u{1B}[J" : ""
        try StandardStream.output.write("\u{1B}[H\(text)\(rest)")
    }

    /// Calls `body` with each key until it returns false, or `isOver` says so, on the calling thread.
    static func readKeys(until isOver: () -> Bool, _ body: (UInt8) -> Bool) {
        while !isOver() {
            var byte: UInt8 = 0
            switch read(STDIN_FILENO, &byte, 1) {
            case 1: if !body(byte) { return }
            case 0: continue
            default: if errno != EINTR { return }
            }
        }
    }

    private static func unusable() -> SyncControlError {
        SyncControlError(
            .unusableInput,
            "The terminal can't be set to take single keys (\(String(cString: strerror(errno)))). One look without it: syncctl top --json"
        )
    }
}
