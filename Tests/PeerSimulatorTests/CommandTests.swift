import Foundation
import TestSupport
import Testing

@testable import PeerSimulator

/// The program itself, as a process.
@Suite(.timeLimit(.minutes(1)))
struct CommandTests {
    private struct Outcome {
        let status: Int32
        let output: String
        let errors: String
    }

    private static var executable: URL {
        URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent(
            "peer-simulator"
        )
    }

    /// Runs the program to its end.
    private func run(_ arguments: [String]) async throws -> Outcome {
        let process = Process()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = Self.executable
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                let errorText = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                process.waitUntilExit()
                continuation.resume(
                    returning: Outcome(status: process.terminationStatus, output: text, errors: errorText)
                )
            }
        }
    }

    @Test func announcesBothPeersAndStopsOnSIGTERM() async throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = Self.executable
        process.arguments = ["--keep-port", "0", "--writer-port", "0", "--synthetic", "12"]
        process.standardOutput = output
        try process.run()
        let lines = await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var text = ""
                while text.count(where: \.isNewline) < 2 {
                    let data = output.fileHandleForReading.availableData
                    if data.isEmpty { break }
                    text += String(decoding: data, as: UTF8.self)
                }
                continuation.resume(returning: text.split(separator: "\n").map(String.init))
            }
        }
        #expect(lines.count == 2)
        #expect(lines.first?.wholeMatch(of: #/Keep Extractor on http://127\.0\.0\.1:\d+ with 12 notes/#) != nil)
        let port = try #require(lines.last?.split(separator: ":").last.flatMap { Int($0) })
        #expect(try await wireRequest(port: port, "GET", "/health").status == 200)
        process.terminate()
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                process.waitUntilExit()
                continuation.resume()
            }
        }
        #expect(process.terminationStatus == 0)
    }

    @Test func aTakenPortIsOneClearLine() async throws {
        try await withSimulator { peers in
            for (flag, other) in [("--keep-port", "--writer-port"), ("--writer-port", "--keep-port")] {
                let outcome = try await run([flag, "\(peers.ports.keep)", other, "0"])
                #expect(outcome.status == 1)
                #expect(outcome.output == "")
                let advice = "stop the program that has it, or choose another port with \(flag)"
                #expect(outcome.errors == "peer-simulator: 127.0.0.1:\(peers.ports.keep) is taken: \(advice)\n")
            }
        }
    }

    @Test func mistakesAreClearLines() async throws {
        let noNotes = try await run(["--takeout", "/nonexistent"])
        #expect(noNotes.status == 1)
        #expect(noNotes.errors.hasPrefix("peer-simulator: No Keep notes in /nonexistent"))
        let noPlan = try await run(["--faults", "/nonexistent.json"])
        #expect(noPlan.status == 1)
        #expect(noPlan.errors == "peer-simulator: Cannot read the fault plan /nonexistent.json\n")
        let oddFault = try await run(["--fault", "writer.create:explode=1"])
        #expect(oddFault.status == 1)
        #expect(oddFault.errors.hasPrefix("peer-simulator: Unknown fault kind \"explode\""))
        for option in ["--synthetic", "--note-bytes", "--latency-ms", "--notion-rate"] {
            for number in ["9223372036854775807", "-1"] {
                let outcome = try await run(["--keep-port", "0", "--writer-port", "0", "\(option)=\(number)"])
                #expect(outcome.status == 64 && outcome.errors.contains("\(option) "), "\(outcome)")
            }
        }
        let help = try await run(["--help"])
        #expect(help.status == 0)
        #expect(help.output.contains("Example:"))
    }
}
