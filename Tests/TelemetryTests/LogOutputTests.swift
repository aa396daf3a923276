import Foundation
import Logging
import Testing

@testable import Telemetry

@Suite struct LogOutputTests {
    @Test func `A reader that has gone costs lines and nothing else`() throws {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        output.write(Array("first\n".utf8))
        #expect(output.droppedLines == 0)
        try pipe.fileHandleForReading.close()
        output.write(Array("second\n".utf8))
        output.write(Array("third\n".utf8))
        #expect(output.droppedLines == 2)
        try pipe.fileHandleForWriting.close()
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full")))
    func `A full disk costs lines and nothing else`() throws {
        let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
        let output = LogOutput(descriptor: full.fileDescriptor)
        output.write(Array("line\n".utf8))
        #expect(output.droppedLines == 1)
        try full.close()
    }

    @Test func `Lines of many tasks do not mix`() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("log-\(UUID().uuidString)")
        try Data().write(to: file)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: file) } }
        let handle = try FileHandle(forWritingTo: file)
        let output = LogOutput(descriptor: handle.fileDescriptor)
        let body = String(repeating: "x", count: 9000)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    let logger = Logger(label: "t\(task)") { JSONLogHandler(label: $0, output: output) }
                    for number in 0..<25 { logger.info("\(body)", metadata: ["n": "\(number)"]) }
                }
            }
        }
        try handle.close()
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 200)
        for line in lines {
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        }
    }
}
