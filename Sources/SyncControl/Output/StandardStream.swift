import Support

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Standard output or standard error.
struct StandardStream: Sendable {
    private let descriptor: Int32

    static let output = StandardStream(descriptor: STDOUT_FILENO)
    static let error = StandardStream(descriptor: STDERR_FILENO)

    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Columns of the terminal; nil when it is none, and then nothing is cut.
    var width: Int? {
        guard isTerminal else { return nil }
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// - Throws: `SyncControlError` with code `outputFailed`.
    func line(_ text: String) throws {
        try write(text + "\n")
    }

    /// Bidirectional controls are made visible: what comes from the database may hold anything.
    ///
    /// - Throws: `SyncControlError` with code `outputFailed`.
    func write(_ text: String) throws {
        var rest = Array(text.withVisibleControls.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if written < 0, errno == EINTR {
                continue
            } else {
                throw SyncControlError(
                    .outputFailed,
                    "The output can't be written: \(String(cString: strerror(errno)))"
                )
            }
        }
    }

    /// Prints what a command has changed. That is done whether or not its output can be written: where stdout takes
    /// nothing, stderr says it.
    ///
    /// - Parameter words: what stderr says; nil: the same text.
    /// - Throws: `SyncControlError` with code `outputFailed`.
    static func report(_ text: String, inWords words: String? = nil) throws {
        // A reader that has gone would end the program before it has said anything.
        _ = signal(SIGPIPE, SIG_IGN)
        do {
            try output.line(text)
        } catch let failure {
            error.note(words ?? text)
            throw failure
        }
    }

    /// Writes sentences for people, wrapped where this is a terminal.
    ///
    /// - Throws: `SyncControlError` with code `outputFailed`.
    func paragraph(_ text: String) throws {
        let width = width
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).flatMap {
            String($0).wrapped(toWidth: width)
        }
        try line(lines.joined(separator: "\n"))
    }

    /// Writes a remark that the command does not depend on.
    func note(_ text: String) {
        // Where stderr is closed there is nobody left to tell.
        try? paragraph(text)
    }

    /// Writes what went wrong, with the word before its first colon in red.
    func fault(_ text: String) {
        guard isColoured, let colon = text.firstIndex(of: ":") else { return note(text) }
        let lines = text.wrapped(toWidth: width)
        let head = text[...colon]
        let shown = lines.first.map {
            $0.hasPrefix(head) ? Style.red.applied(to: String(head)) + $0.dropFirst(head.count) : $0
        }
        // Where stderr is closed there is nobody left to tell.
        try? line(([shown].compactMap(\.self) + lines.dropFirst()).joined(separator: "\n"))
    }

    /// Lets a closed reader, as in `syncctl jobs | head`, end the program as it ends every other tool.
    static func endWithReader() {
        _ = signal(SIGPIPE, SIG_DFL)
    }
}

/// `write(2)`, under a name that the method does not hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
