public import ChaosChecker
public import Foundation
import TestSupport

/// Runs of seeds, some side by side, each beside a server of its own.
public enum Chaos {
    /// What the runs are about.
    public enum Kind: Sendable {
        case usual
        /// Two servers of which one follows the other, and takes over when that one is lost: by a seed that is odd one
        /// to which commits wait for the other, by an even one none do.
        case failovers
    }

    /// Seeds, one after the other.
    ///
    /// - Parameter attackers: leaves out those whose usual runs others attack; nil for none.
    public static func seeds(_ count: Int, from first: UInt64 = 1, by attackers: Plan.Attackers? = nil) -> [UInt64] {
        Array(
            (0...).lazy.map { first &+ $0 }
                .filter { attackers == nil || Plan.attackers(of: $0) == attackers }
                .prefix(count)
        )
    }

    /// Attacks workers by a row of seeds.
    ///
    /// - Parameters:
    ///   - worker: path of the `sync-worker` to be attacked; nil for the one beside this program.
    ///   - environment: goes over the settings of the workers.
    ///   - parallel: runs at once.
    ///   - report: is told of each run as it ends, one at a time; returns whether to go on.
    /// - Throws: what kept a run from being made.
    public static func run(
        seeds: [UInt64],
        kind: Kind = .usual,
        worker: String? = nil,
        environment: [String: String] = [:],
        parallel: Int = 1,
        report: @escaping @Sendable (Outcome) async throws -> Bool
    ) async throws {
        let queue = SeedQueue(seeds, report: report)
        try await withThrowingTaskGroup(of: Void.self) { lanes in
            for _ in 0..<min(parallel, seeds.count) {
                lanes.addTask {
                    let servers = kind == .usual ? try await Servers.single() : nil
                    while let seed = await queue.next() {
                        let program = ChaosRun.Program(path: worker, environment: environment)
                        let plan = Plan(seed: seed, kind: kind)
                        try await queue.end(try await ChaosRun.perform(plan, servers: servers, program: program))
                    }
                    try await servers?.remove()
                }
            }
            try await lanes.waitForAll()
        }
    }

    /// Decides once more about a history that was kept.
    public static func check(_ file: URL) throws -> Verdict {
        Checker(try JSONDecoder().decode(History.self, from: Data(contentsOf: file))).verdict()
    }
}

private actor SeedQueue {
    private var seeds: ArraySlice<UInt64>
    private let report: @Sendable (Outcome) async throws -> Bool

    init(_ seeds: [UInt64], report: @escaping @Sendable (Outcome) async throws -> Bool) {
        self.seeds = seeds[...]
        self.report = report
    }

    func next() -> UInt64? { seeds.popFirst() }

    func end(_ outcome: Outcome) async throws {
        if try await !report(outcome) { seeds = [] }
    }
}
