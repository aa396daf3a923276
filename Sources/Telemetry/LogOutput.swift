import Metrics
import Support

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file descriptor that receives whole log lines, written by a thread of its own.
///
/// Who logs never waits: lines go into a queue of bounded size. While it is full (the reader of a pipe has stopped, the
/// disk is slow) lines are dropped and counted, and a line in their place says how many. A line that cannot be written
/// (the reader has gone, the disk is full) is dropped and counted likewise: a worker does not stop for its log.
public final class LogOutput: Sendable {
    /// The standard output of the process. At its end the process waits a second at most for lines not written yet.
    public static let standardOutput: LogOutput = {
        atexit { LogOutput.standardOutput.flush(within: LogOutput.exitPatience) }
        return LogOutput(descriptor: STDOUT_FILENO)
    }()

    /// The standard error of the process. At its end the process waits a second at most for lines not written yet.
    public static let standardError: LogOutput = {
        atexit { LogOutput.standardError.flush(within: LogOutput.exitPatience) }
        return LogOutput(descriptor: STDERR_FILENO)
    }()

    private static let exitPatience = Duration.seconds(1)

    private let descriptor: Int32
    private let queue: Monitor<LogQueue>

    /// An output on `descriptor`, which stays the caller's to close, after this object has gone.
    ///
    /// Makes the process ignore SIGPIPE, which would otherwise end it at the first line after the reader has gone.
    ///
    /// - Parameter capacity: bytes of lines that wait to be written, besides those that are being written.
    public init(descriptor: Int32, capacity: Int = 1 << 20) {
        Self.ignoreBrokenPipes
        self.descriptor = descriptor
        let queue = Monitor(LogQueue(capacity: capacity))
        self.queue = queue
        startThread(named: "log") { LogWriter(descriptor: descriptor, queue: queue).run() }
    }

    deinit {
        flush(within: Self.exitPatience)
        queue.withLock { $0.isClosed = true }
        queue.signal()
    }

    /// Evaluated once per process.
    private static let ignoreBrokenPipes: Void = {
        _ = signal(SIGPIPE, SIG_IGN)
    }()

    /// The number of lines dropped since the start.
    public var droppedLines: Int { queue.withLock { $0.dropped } }

    /// Whether the descriptor is a terminal.
    public var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Writes a message of the program itself, which becomes one line as it is.
    public func write(message: String) {
        write(Array((message + "\n").utf8)) { Array("\(Count.of($0, "line")) dropped.\n".utf8) }
    }

    /// Waits until all lines are written or dropped, but no longer than `limit`. Blocks the thread.
    ///
    /// - Returns: whether none is left.
    @discardableResult
    public func flush(within limit: Duration) -> Bool {
        let end = ContinuousClock.now + limit
        return queue.wait { queue in
            if queue.isDone { return .done(true) }
            return end <= .now ? .done(false) : .wait(until: end)
        }
    }

    /// Writes `line`, which ends with a line feed, some time soon.
    ///
    /// - Parameter loss: makes the line that says how many were dropped, if this is one of them.
    func write(_ line: [UInt8], loss: @escaping @Sendable (Int) -> [UInt8]) {
        let (isAccepted, wasEmpty) = queue.withLock { $0.append(line, loss) }
        if wasEmpty { queue.signal() }
        if !isAccepted { Self.countDropped(1) }
    }

    static func countDropped(_ count: Int) {
        Counter(label: "sync_log_lines_dropped_total").increment(by: count)
    }
}
