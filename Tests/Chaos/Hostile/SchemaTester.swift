import Foundation
import Support
import TestSupport

/// schemathesis, which makes requests of a program's own description and looks whether the answers keep to it.
struct SchemaTester: Sendable {
    let python: String
    let port: Int
    let seed: UInt64

    /// Hostile sessions hold locks on rows all the while, of which a documented answer tells. And identifiers that an
    /// answer names are not used in requests: who reads the list of jobs may abort those of honest users, as callers of
    /// the intake may.
    private static let furtherRules = """

        [checks]
        not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]

        """
        + phases.map { "[phases.\($0).extra-data-sources]\nresponses = false\n" }.joined()
    /// The phase that is made of what was listed is left out.
    private static let phases = ["examples", "coverage", "fuzzing"]

    /// Runs it again and again, with another seed each time.
    func run(until deadline: ContinuousClock.Instant, _ findings: HostileFindings) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "schemathesis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }  // What is left of it does no harm.
        // It is read from the working folder.
        let rules = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../StatusAPITests/Scripts/schemathesis.toml").standardizedFileURL
        let text = try String(contentsOf: rules, encoding: .utf8) + Self.furtherRules
        try Data(text.utf8).write(to: folder.appending(path: "schemathesis.toml"))
        var seed = seed
        while .now < deadline {
            let rest = max(deadline - .now, .seconds(1))
            let run = try ProgramRun(
                executable: "/bin/sh",
                [
                    "-c", "cd \"$0\" && exec \"$@\"", folder.path, python, "-m", "schemathesis.cli", "run",
                    "http://127.0.0.1:\(port)/openapi.json", "--seed", "\(seed % 1_000_000)", "--max-examples", "40",
                    "--max-time", "\(rest.components.seconds)",
                    "--no-color", "--phases", Self.phases.joined(separator: ","), "--request-timeout", "60",
                ],
                environment: ["no_proxy": "127.0.0.1", "HYPOTHESIS_STORAGE_DIRECTORY": folder.path]
            )
            seed += 1
            findings.tally.count("runs of schemathesis")
            do {
                let exit = try await run.waitForExit(within: rest + .seconds(20))
                if exit != .code(0) { findings.add("schemathesis on port \(port):\n\(run.transcript.suffix(6000))") }
            } catch is DeadlinePassed {
                await run.kill()
            }
        }
    }
}
