import Support

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The lines that wait to be written.
struct LogQueue {
    typealias LossLine = @Sendable (Int) -> [UInt8]

    /// What the writer takes at once: lines, and those lost before or after them.
    struct Batch {
        var lines: [[UInt8]]
        var lostBefore: Int
        var lostAfter: Int
        var lossLine: LossLine?
    }

    let capacity: Int
    var lines: [[UInt8]] = []
    var bytes = 0
    /// Since the start.
    var dropped = 0
    /// Lines that found the queue full since the writer last took it.
    var overflowed = 0
    /// Lines that could not be written and that nobody was told of yet.
    var unwritten = 0
    var lossLine: LossLine?
    var isWriting = false
    var isClosed = false

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Whether nothing waits or is being written.
    var isDone: Bool { lines.isEmpty && overflowed == 0 && !isWriting }

    /// Once a line was dropped, so are those after it until the writer takes the queue: the gap is one, and in its
    /// place.
    mutating func append(_ line: [UInt8], _ loss: @escaping LossLine) -> (isAccepted: Bool, wasEmpty: Bool) {
        lossLine = loss
        guard overflowed == 0, lines.isEmpty || bytes + line.count <= capacity else {
            overflowed += 1
            dropped += 1
            return (false, false)
        }
        lines.append(line)
        bytes += line.count
        return (true, lines.count == 1)
    }

    mutating func take() -> Batch {
        defer { (lines, bytes, overflowed, unwritten, isWriting) = ([], 0, 0, 0, true) }
        return Batch(lines: lines, lostBefore: unwritten, lostAfter: overflowed, lossLine: lossLine)
    }
}

/// What the thread of an output does: takes what waits, writes it line by line, as long as there is an output.
struct LogWriter {
    let descriptor: Int32
    let queue: Monitor<LogQueue>
    /// Whether the last line was cut off by an error.
    private var endsInsideLine = false

    init(descriptor: Int32, queue: Monitor<LogQueue>) {
        self.descriptor = descriptor
        self.queue = queue
    }

    consuming func run() {
        while let batch = next() {
            let (lost, untold) = write(batch)
            if lost > 0 { LogOutput.countDropped(lost) }
            queue.withLock { queue in
                queue.isWriting = false
                queue.dropped += lost
                queue.unwritten += untold
            }
            // For who waits for the end of it.
            queue.signal()
        }
    }

    private func next() -> LogQueue.Batch? {
        queue.wait { queue in
            if !queue.lines.isEmpty { return .done(queue.take()) }
            return queue.isClosed ? .done(nil) : .wait(until: nil)
        }
    }

    /// - Returns: how many lines could not be written, and how many are lost that no line tells of yet.
    private mutating func write(_ batch: LogQueue.Batch) -> (lost: Int, untold: Int) {
        if batch.lostBefore > 0, let line = batch.lossLine?(batch.lostBefore), !write(line) {
            // Nothing can be written still.
            return (batch.lines.count, batch.lostBefore + batch.lines.count + batch.lostAfter)
        }
        let lost = batch.lines.count { !write($0) }
        if batch.lostAfter > 0, let line = batch.lossLine?(batch.lostAfter), !write(line) {
            return (lost, lost + batch.lostAfter)
        }
        return (lost, lost)
    }

    private mutating func write(_ line: [UInt8]) -> Bool {
        // The rest of a line cut off by an error must not run into the next one.
        if endsInsideLine, writeAll([UInt8(ascii: "\n")]) == 1 { endsInsideLine = false }
        let count = writeAll(line)
        if count == line.count {
            endsInsideLine = false
            return true
        }
        endsInsideLine = endsInsideLine || count > 0
        return false
    }

    /// Writes `bytes` as far as possible, with one `write(2)` where the system takes them whole, and returns how many
    /// went out.
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

    /// Waits for a non-blocking descriptor that is full, as long as it takes.
    private func waitUntilWritable() -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while true {
            let count = poll(&request, 1, -1)
            if count >= 0 || errno != EINTR { return count > 0 }
        }
    }
}

/// `write(2)`, under a name that ``LogOutput/write(_:loss:)`` does not hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
