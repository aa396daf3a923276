import CurlHTTP
import Foundation
import Testing

extension HTTPClientTests {
    @Suite(.timeLimit(.minutes(1)))
    struct Downloads {
        /// Serves a body of `byteCount` bytes, each the index of its 64 KiB block.
        private func serve(_ byteCount: Int, status: Int = 200) throws -> SocketServer {
            try SocketServer { connection in
                while connection.readRequest() != nil {
                    connection.send("HTTP/1.1 \(status) X\r\nContent-Length: \(byteCount)\r\n\r\n")
                    var sent = 0
                    while sent < byteCount {
                        let block = [UInt8](repeating: UInt8(truncatingIfNeeded: sent >> 16), count: 65536)
                        guard connection.send(Array(block.prefix(byteCount - sent))) else { return }
                        sent += 65536
                    }
                }
            }
        }

        /// A file without a name, gone with its handle.
        private func makeFile() throws -> FileHandle {
            let path = FileManager.default.temporaryDirectory.appending(path: "download-\(UUID().uuidString)").path()
            let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
            try #require(descriptor >= 0)
            unlink(path)
            return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        }

        @Test func bodyArrivesInTheFile() async throws {
            let byteCount = 50 * 1024 * 1024 + 17
            let server = try serve(byteCount)
            defer { server.stop() }
            let file = try makeFile()
            let response = try await HTTPClientTests.makeClient().download(
                HTTPRequest(url: server.url, maximumDownloadBytes: Int64(byteCount)),
                to: file.fileDescriptor
            )
            #expect(response.status == 200)
            #expect(response.body.isEmpty)
            #expect(response.bytesReceived == Int64(byteCount))
            try file.seek(toOffset: 0)
            let content = [UInt8](try #require(try file.readToEnd()))
            #expect(content.count == byteCount)
            let isRight = stride(from: 0, to: byteCount, by: 4093).allSatisfy {
                content[$0] == UInt8(truncatingIfNeeded: $0 >> 16)
            }
            #expect(isRight)
        }

        @Test func memoryStaysBounded() async throws {
            let server = try serve(400 * 1024 * 1024)
            defer { server.stop() }
            let sink = try #require(FileHandle(forWritingAtPath: "/dev/null"))
            let before = try residentKilobytes()
            let response = try await HTTPClientTests.makeClient().download(
                HTTPRequest(url: server.url),
                to: sink.fileDescriptor
            )
            #expect(response.bytesReceived == 400 * 1024 * 1024)
            // The bound is loose: other tests share the process. Holding the body would be far above it.
            #expect(try residentKilobytes() - before < 200 * 1024)
        }

        /// Peak resident set of the process.
        private func residentKilobytes() throws -> Int {
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
            return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) })
        }

        @Test func fullDisk() async throws {
            let server = try serve(1024 * 1024)
            defer { server.stop() }
            let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
            let error = try await HTTPClientTests.failure {
                try await HTTPClientTests.makeClient().download(HTTPRequest(url: server.url), to: full.fileDescriptor)
            }
            #expect(error.code == .writeFailed)
            #expect(error.requestMayHaveBeenSent)
            #expect(error.message.contains("No space left on device"))
        }

        @Test func limitOfTheFile() async throws {
            let server = try serve(1024 * 1024)
            defer { server.stop() }
            let file = try makeFile()
            let error = try await HTTPClientTests.failure {
                try await HTTPClientTests.makeClient().download(
                    HTTPRequest(url: server.url, maximumDownloadBytes: 1024 * 1024 - 1),
                    to: file.fileDescriptor
                )
            }
            #expect(error.code == .downloadTooLarge)
        }

        @Test func errorAnswerStaysInMemory() async throws {
            let server = try serve(2000, status: 500)
            defer { server.stop() }
            let file = try makeFile()
            let client = HTTPClientTests.makeClient()
            let response = try await client.download(HTTPRequest(url: server.url), to: file.fileDescriptor)
            #expect(response.status == 500)
            #expect(response.body.count == 2000)
            #expect(try file.offset() == 0)
            let error = try await HTTPClientTests.failure {
                try await client.download(
                    HTTPRequest(url: server.url, maximumResponseBytes: 1999),
                    to: file.fileDescriptor
                )
            }
            #expect(error.code == .responseTooLarge)
        }
    }
}
