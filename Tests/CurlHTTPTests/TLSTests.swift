import CurlHTTP
import Foundation
import Testing

extension HTTPClientTests {
    /// Against `openssl s_server` with a certificate that no authority has signed.
    @Suite(.timeLimit(.minutes(1)), .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl")))
    struct TLS {
        @Test func certificateIsVerified() async throws {
            let folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            // What is left behind in the temporary folder does no harm.
            defer { try? FileManager.default.removeItem(at: folder) }
            let certificate = folder.appending(path: "certificate.pem").path()
            let key = folder.appending(path: "key.pem").path()
            let making = openSSL([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
            ])
            try making.run()
            making.waitUntilExit()
            try #require(making.terminationStatus == 0)

            let output = Pipe()
            let server = openSSL(["s_server", "-www", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key])
            server.standardOutput = output
            try server.run()
            defer {
                // Not `terminate()`: a child starts with the signal mask of its parent's thread, and those of the
                // concurrency runtime hold SIGTERM back.
                kill(server.processIdentifier, SIGKILL)
                server.waitUntilExit()
            }
            let port = try readPort(output.fileHandleForReading)

            let distrustful = HTTPClientTests.makeClient()
            let refused = try await HTTPClientTests.failure {
                try await distrustful.execute(HTTPRequest(method: .post, url: "https://127.0.0.1:\(port)/", body: [1]))
            }
            #expect(refused.code == .tls)
            #expect(!refused.requestMayHaveBeenSent)

            let trusting = HTTPClientTests.makeClient { $0.certificateAuthorityFile = certificate }
            let response = try await trusting.execute(HTTPRequest(url: "https://127.0.0.1:\(port)/"))
            #expect(response.status == 200)
            let otherName = try await HTTPClientTests.failure {
                try await trusting.execute(HTTPRequest(url: "https://localhost:\(port)/"))
            }
            #expect(otherName.code == .tls || otherName.code == .couldNotConnect)

            let wrongFile = HTTPClientTests.makeClient { $0.certificateAuthorityFile = "/does/not/exist" }
            let missing = try await HTTPClientTests.failure {
                try await wrongFile.execute(HTTPRequest(url: "https://127.0.0.1:\(port)/"))
            }
            #expect(missing.code == .tls)
            #expect(missing.message.contains("/does/not/exist"))
        }

        /// Whatever this machine's OpenSSL would still agree to.
        ///
        /// In a process of its own, as OpenSSL reads its settings once.
        @Test func nothingOlderThanTLS12() async {
            await #expect(processExitsWith: .success) { try await HTTPClientTests.TLS().tryOldVersions() }
        }

        fileprivate func tryOldVersions() async throws {
            let folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            // What is left behind in the temporary folder does no harm.
            defer { try? FileManager.default.removeItem(at: folder) }
            let settings = folder.appending(path: "openssl.cnf")
            let text = """
                openssl_conf = main
                [main]
                ssl_conf = versions
                [versions]
                system_default = all
                [all]
                MinProtocol = TLSv1
                CipherString = ALL:@SECLEVEL=0
                """
            try Data(text.utf8).write(to: settings)
            setenv("OPENSSL_CONF", settings.path(), 1)
            let certificate = folder.appending(path: "certificate.pem").path()
            let key = folder.appending(path: "key.pem").path()
            let making = openSSL([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
            ])
            try making.run()
            making.waitUntilExit()
            try #require(making.terminationStatus == 0)
            for (version, isTaken) in [("-tls1_1", false), ("-tls1_2", true)] {
                let output = Pipe()
                let server = openSSL([
                    "s_server", "-www", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, version, "-cipher",
                    "ALL:@SECLEVEL=0",
                ])
                server.standardOutput = output
                try server.run()
                defer {
                    kill(server.processIdentifier, SIGKILL)
                    server.waitUntilExit()
                }
                let port = try readPort(output.fileHandleForReading)
                let client = HTTPClientTests.makeClient { $0.certificateAuthorityFile = certificate }
                let request = HTTPRequest(url: "https://127.0.0.1:\(port)/")
                if isTaken {
                    #expect(try await client.execute(request).status == 200)
                } else {
                    let refused = try await HTTPClientTests.failure { try await client.execute(request) }
                    #expect(refused.code == .tls, "\(refused)")
                }
            }
        }

        private func openSSL(_ arguments: [String]) -> Process {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/openssl")
            process.arguments = arguments
            process.standardInput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            return process
        }

        /// The server prints the port it was given: `ACCEPT 127.0.0.1:41234`.
        private func readPort(_ handle: FileHandle) throws -> Int {
            var text = ""
            while let bytes = try handle.read(upToCount: 1), !bytes.isEmpty {
                text += String(decoding: bytes, as: UTF8.self)
                if text.hasSuffix("\n"), let range = text.range(of: "ACCEPT 127.0.0.1:") {
                    return try #require(Int(text[range.upperBound...].trimmingCharacters(in: .newlines)))
                }
            }
            throw Signal.Missing()
        }

        @Test func plainServerIsNoTLSServer() async throws {
            let server = try SocketServer { connection in
                _ = connection.readSome()
                connection.respond()
            }
            defer { server.stop() }
            let error = try await HTTPClientTests.failure {
                let url = server.url.replacing("http:", with: "https:")
                return try await HTTPClientTests.makeClient().execute(HTTPRequest(url: url))
            }
            #expect(error.code == .tls)
            #expect(!error.requestMayHaveBeenSent)
        }
    }
}
