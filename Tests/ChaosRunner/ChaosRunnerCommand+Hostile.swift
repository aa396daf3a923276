import ArgumentParser
import Chaos
import Foundation

extension ChaosRunnerCommand {
    /// One hostile run after the other; each has the machine for itself, as its times count.
    func runHostile() async throws {
        var failures = 0
        for number in 0..<UInt64(seeds) {
            let seed = first &+ number
            let outcome = try await HostileRun.perform(seed: seed, for: .seconds(seconds), python: schemathesis)
            report(outcome)
            guard !outcome.violations.isEmpty else { continue }
            failures += 1
            try keepLogs(outcome)
            print("    repeat: deploy/chaos --hostile --seeds 1 --first \(seed) --seconds \(seconds)")
        }
        print(failures == 0 ? "All held." : "\(failures) of \(seeds) runs did not hold.")
        if failures > 0 { throw ExitCode.failure }
    }

    private func report(_ outcome: HostileRun.Outcome) {
        let memory = outcome.memory.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value >> 20) MiB" }
        let waits = [outcome.waits.median, outcome.waits.longest].map {
            $0.formatted(.number.precision(.fractionLength(2)))
        }
        print("seed \(outcome.seed): \(outcome.violations.isEmpty ? "held" : "\(outcome.violations.count) faults")")
        print("    memory at most: \(memory.joined(separator: ", "))")
        print("    honest jobs took \(waits[0]) s (median), \(waits[1]) s at most")
        print(
            "    the slowest probe or start took \(outcome.slowestAnswer.formatted(.units(fractionalPart: .show(length: 1))))"
        )
        for (what, count) in outcome.counts.sorted(by: { $0.key < $1.key }) { print("    \(what): \(count)") }
        for violation in outcome.violations.prefix(20) { print("    FAULT \(violation)") }
    }

    private func keepLogs(_ outcome: HostileRun.Outcome) throws {
        let folder = URL(filePath: keep).appending(path: "hostile-\(outcome.seed)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, log) in outcome.logs { try Data(log.utf8).write(to: folder.appending(path: "\(name).log")) }
        try Data(outcome.violations.joined(separator: "\n").utf8).write(to: folder.appending(path: "violations.txt"))
        print("    logs: \(folder.path)")
    }
}
