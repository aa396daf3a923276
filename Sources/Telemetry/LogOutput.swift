import Metrics
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file descriptor that receives whole log lines.
///
/// Lines are written one at a time under a lock, each with one `write(2)` where the system takes it whole. A line that
/// cannot be written (the reader is gone, the disk is full) is dropped and counted: a worker does not stop for its log.
public final class LogOutput: Sendable {
    /// The standard output of the process.
    public static let standardOutput = LogOutput(descriptor: STDOUT_FILENO)

    /// The standard error of the process.
    public static let standardError = LogOutput(descriptor: STDERR_FILENO)

    /// How long a line waits for a non-blocking descriptor that is full, in milliseconds.
    private static let patience: Int32 = 1000

    private struct State {
        var dropped = 0
        var endsInsideLine = false
    }

    private let descriptor: Int32
    private let state = Mutex(State())

    /// An output on `descriptor`, which stays the caller's to close.
    ///
    /// Makes the process ignore SIGPIPE, which would otherwise end it at the first line after the reader has gone.
    public init(descriptor: Int32) {
        self.descriptor = descriptor
        Self.ignoreBrokenPipes
    }

    /// Evaluated once per process.
    private static let ignoreBrokenPipes: Void = {
        _ = signal(SIGPIPE, SIG_IGN)
    }()

    /// The number of lines dropped since the start.
    public var droppedLines: Int { state.withLock { $0.dropped } }

    /// Whether the descriptor is a terminal.
    public var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Writes `line`, which ends with a line feed.
    func write(_ line: [UInt8]) {
        let isWritten = state.withLock { state in
            // The rest of a line cut off by an error must not run into the next one.
            if state.endsInsideLine, writeAll([UInt8(ascii: "\n")]) == 1 { state.endsInsideLine = false }
            let count = writeAll(line)
            if count == line.count {
                state.endsInsideLine = false
                return true
            }
            state.endsInsideLine = state.endsInsideLine || count > 0
            state.dropped += 1
            return false
        }
        if !isWritten { Counter(label: "sync_log_lines_dropped_total").increment() }
    }

    /// Writes `bytes` as far as possible and returns how many went out.
    private func writeAll(_ bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                let rest = UnsafeRawBufferPointer(rebasing: buffer[written...])
                let result = systemWrite(descriptor, rest.baseAddress, rest.count)
                if result > 0 {
                    written += result
                } else if result < 0, errno == EINTR {
                    continue
                } else if result < 0, errno == EAGAIN, waitUntilWritable() {
                    continue
                } else {
                    break
                }
            }
            return written
        }
    }

    private func waitUntilWritable() -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&request, 1, Self.patience) > 0
    }
}

/// `write(2)`, under a name that ``LogOutput/write(_:)`` does not hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
