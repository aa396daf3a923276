import Foundation
import Support
import TestSupport

/// A terminal whose keyboard and screen are the test's.
final class PseudoTerminal: Sendable {
    /// The device that a program opens as its terminal.
    let path: String
    private let master: Int32
    /// `TIOCSPTLCK` and `TIOCGPTN`, macros that Swift does not import.
    private static let setLock: UInt = 0x4004_5431
    private static let getNumber: UInt = 0x8004_5430
    private let shown = Mutex<[UInt8]>([])

    init(columns: UInt16 = 80, rows: UInt16 = 24) throws {
        // posix_openpt(3) and its like are hidden from Swift by glibc's feature macros; this is what they do.
        var number: Int32 = 0
        var isLocked: Int32 = 0
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard master >= 0, ioctl(master, Self.setLock, &isLocked) == 0, ioctl(master, Self.getNumber, &number) == 0
        else {
            throw POSIXError(.ENOTTY)
        }
        path = "/dev/pts/\(number)"
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        guard ioctl(master, UInt(TIOCSWINSZ), &size) == 0 else { throw POSIXError(.ENOTTY) }
        DispatchQueue(label: "terminal").async { [self] in readScreen() }
    }

    /// All that was written to the terminal.
    var screen: String { String(decoding: shown.withLock { $0 }, as: UTF8.self) }

    /// Makes the terminal another size; a program hears of it by SIGWINCH where it is its controlling terminal.
    func resize(columns: UInt16, rows: UInt16) throws {
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        guard ioctl(master, UInt(TIOCSWINSZ), &size) == 0 else { throw POSIXError(.ENOTTY) }
    }

    /// Its device, which stays with its settings as long as somebody has it open; to be closed.
    func openDevice() throws -> FileHandle {
        let descriptor = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { throw POSIXError(.ENOTTY) }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// Whether a terminal shows what is typed and gives it line by line, as before a program takes single keys.
    static func isLineByLine(_ device: FileHandle) -> Bool {
        var settings = termios()
        guard tcgetattr(device.fileDescriptor, &settings) == 0 else { return false }
        let both = tcflag_t(ICANON | ECHO)
        return settings.c_lflag & both == both
    }

    func type(_ keys: String) {
        let bytes = Array(keys.utf8)
        _ = write(master, bytes, bytes.count)
    }

    func waitFor(_ text: String) async throws {
        try await eventually(within: .seconds(20), "\"\(text)\" on the terminal") { screen.contains(text) }
    }

    /// Runs a program with this terminal in the place of some of its descriptors, such as `<` and `2>`.
    func run(_ fixture: ControlFixture, _ arguments: [String], redirections: [String] = ["<", ">", "2>"]) throws
        -> ProgramRun
    {
        let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "syncctl").path
        let targets = redirections.map { "\($0)\(path)" }.joined(separator: " ")
        return try ProgramRun(
            executable: "/bin/sh",
            ["-c", "exec \"$0\" \"$@\" \(targets)", program] + arguments,
            environment: fixture.environment
        )
    }

    private func readScreen() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(master, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            // EIO: the program has closed the terminal.
            guard count > 0 else { break }
            shown.withLock { $0 += buffer[..<count] }
        }
        close(master)
    }
}
