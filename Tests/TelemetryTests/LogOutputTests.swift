import Foundation
import Logging
import Support
import Testing

@testable import Telemetry

@Suite struct LogOutputTests {
    @Test func `A reader that has gone costs lines and nothing else`() throws {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        output.write(message: "first")
        #expect(output.flush(within: .seconds(10)))
        #expect(output.droppedLines == 0)
        try pipe.fileHandleForReading.close()
        output.write(message: "second")
        output.write(message: "third")
        #expect(output.flush(within: .seconds(10)))
        #expect(output.droppedLines == 2)
        try pipe.fileHandleForWriting.close()
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full")))
    func `A full disk costs lines and nothing else`() throws {
        let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
        let output = LogOutput(descriptor: full.fileDescriptor)
        for _ in 1...3 {
            output.write(message: "line")
            #expect(output.flush(within: .seconds(10)))
        }
        #expect(output.droppedLines == 3)
        try full.close()
    }

    /// The reader may wait for this very process: whoever logs must not wait for the reader.
    @Test(arguments: [false, true])
    func `A reader that stops delays nobody, and reads how much it missed`(isNonBlocking: Bool) throws {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        if isNonBlocking { #expect(fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0) }
        let output = LogOutput(descriptor: descriptor, capacity: 10_000)
        let logger = Logger(label: "test") { JSONLogHandler(label: $0, output: output) }
        let began = ContinuousClock.now
        for number in 0..<5000 { logger.info("number \(number)") }
        #expect(!output.flush(within: .milliseconds(10)), "nobody reads")
        #expect(ContinuousClock.now - began < .seconds(10), "5,000 lines into a pipe that holds some 600")
        let dropped = output.droppedLines
        #expect(dropped > 1000)
        let reader = PipeReader(pipe.fileHandleForReading)
        #expect(output.flush(within: .seconds(10)))
        logger.info("last")
        #expect(output.flush(within: .seconds(10)))
        try pipe.fileHandleForWriting.close()
        let lines = reader.lines()
        let losses = lines.compactMap { $0.firstMatch(of: /"lines":"(\d+)"/).flatMap { Int($0.1) } }
        #expect(losses.reduce(0, +) == dropped, "each gap is told of once")
        #expect(lines.count == 5000 - dropped + losses.count + 1)
        #expect(lines.last?.contains("last") == true)
    }

    @Test func `What could not be written is told of once it can be again`() throws {
        let pipe = Pipe()
        let target = pipe.fileHandleForWriting.fileDescriptor
        // A descriptor that stands for a full disk first, and then for the pipe.
        let descriptor = open("/dev/full", O_WRONLY)
        let output = LogOutput(descriptor: descriptor)
        let logger = Logger(label: "test") { JSONLogHandler(label: $0, output: output) }
        for _ in 1...3 {
            logger.info("lost")
            #expect(output.flush(within: .seconds(10)))
        }
        #expect(dup2(target, descriptor) == descriptor)
        logger.info("written")
        #expect(output.flush(within: .seconds(10)))
        close(descriptor)
        try pipe.fileHandleForWriting.close()
        let lines = PipeReader(pipe.fileHandleForReading).lines()
        #expect(lines.count == 2)
        #expect(lines.first?.contains(#""lines":"3""#) == true)
        #expect(lines.last?.contains("written") == true)
    }

    @Test func `Lines of many tasks do not mix`() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("log-\(UUID().uuidString)")
        try Data().write(to: file)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: file) } }
        let handle = try FileHandle(forWritingTo: file)
        let output = LogOutput(descriptor: handle.fileDescriptor, capacity: 10_000_000)
        let body = String(repeating: "x", count: 9000)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    let logger = Logger(label: "t\(task)") { JSONLogHandler(label: $0, output: output) }
                    for number in 0..<25 { logger.info("\(body)", metadata: ["n": "\(number)"]) }
                }
            }
        }
        #expect(output.flush(within: .seconds(10)))
        try handle.close()
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 200)
        for line in lines {
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        }
    }
}

/// Reads a pipe to its end, on a thread of its own.
private final class PipeReader: Sendable {
    private let text = Mutex("")
    private let isDone = DispatchSemaphore(value: 0)

    init(_ handle: FileHandle) {
        Thread.detachNewThread { [self] in
            // What can't be read is missed by the test.
            let data = (try? handle.readToEnd()) ?? nil
            text.withLock { $0 = String(decoding: data ?? Data(), as: UTF8.self) }
            isDone.signal()
        }
    }

    /// The lines, once the pipe has ended.
    func lines() -> [Substring] {
        isDone.wait()
        return text.withLock { $0.split(separator: "\n") }
    }
}
