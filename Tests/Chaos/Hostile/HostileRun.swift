import Foundation
import Postgres
import Support
import TestSupport

/// A run against hostile neighbours, which harm nobody but themselves: afterwards every honest user's job is done, no
/// process has ended, and none has taken more memory than ``memoryLimit``.
public enum HostileRun {
    /// What a run came to.
    public struct Outcome: Sendable {
        public let seed: UInt64
        public let duration: Duration
        /// What was wrong; empty where all held.
        public let violations: [String]
        /// What was done, and how often.
        public let counts: [String: Int]
        /// The most memory of each program, in bytes.
        public let memory: [String: Int]
        /// From the creation to the end of honest jobs, in seconds: the median and the longest.
        public let waits: (median: Double, longest: Double)
        /// Of a probe or a start.
        public let slowestAnswer: Duration
        /// What the programs wrote last, by name.
        public let logs: [String: String]
    }

    /// In bytes, of each program.
    public static let memoryLimit = 150 << 20
    /// How long honest jobs may take after the last hostile act.
    private static let restLimit = Duration.seconds(60)

    /// Makes a run.
    ///
    /// - Parameters:
    ///   - duration: how long the hostility goes on.
    ///   - python: a Python with schemathesis, which then sends requests after the descriptions of sidecar and intake;
    ///     nil: none.
    /// - Throws: what kept it from being made.
    public static func perform(seed: UInt64, for duration: Duration, python: String? = nil) async throws -> Outcome {
        let installation = try await HostileInstallation.start(seed: seed)
        do {
            let outcome = try await attack(installation, seed, duration, python)
            try await installation.remove()
            return outcome
        } catch {
            let words = installation.programs.map { "--- \($0.name)\n\($0.run.transcript.suffix(4000))" }
            try await installation.remove()
            throw ChaosError("\(error)\n\(words.joined(separator: "\n"))")
        }
    }

    private static func attack(
        _ installation: HostileInstallation,
        _ seed: UInt64,
        _ duration: Duration,
        _ python: String?
    ) async throws -> Outcome {
        let findings = HostileFindings()
        let began = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            let end = began + duration
            for number in 0..<3 as Range<UInt64> {
                let gateway = HostileGateway(
                    database: installation.database,
                    seed: seed &* 31 &+ number,
                    tally: findings.tally
                )
                group.addTask { try await gateway.run(until: end) }
            }
            for port in [installation.sidecarPort, installation.intakePort] {
                let visitors = HostileVisitors(port: port, seed: seed &+ UInt64(port), tally: findings.tally)
                group.addTask { try await visitors.run(until: end) }
                if let python {
                    let tester = SchemaTester(python: python, port: port, seed: seed)
                    group.addTask { try await tester.run(until: end, findings) }
                }
            }
            group.addTask { try await changePeers(installation, seed, until: end) }
            group.addTask { try await HonestCallers(installation: installation, findings: findings).run(until: end) }
            try await group.waitForAll()
        }
        let waits = try await rest(installation, findings)
        let memory = try installation.peakMemory()
        judge(installation, memory, findings)
        return Outcome(
            seed: seed,
            duration: .now - began,
            violations: findings.violations,
            counts: findings.tally.all,
            memory: memory,
            waits: waits,
            slowestAnswer: findings.slowestAnswer,
            logs: Dictionary(uniqueKeysWithValues: installation.programs.map { ($0.name, $0.run.transcript) })
        )
    }

    private static func changePeers(
        _ installation: HostileInstallation,
        _ seed: UInt64,
        until end: ContinuousClock.Instant
    ) async throws {
        var random = SplitMix64(seed: seed)
        while .now < end {
            try await installation.peers.setFaults(HostilePeers.rules(&random))
            try await DeadlineQueue.shared.sleep(for: .milliseconds(random.number(500...3000)))
        }
    }

    /// Waits until the honest users' jobs have ended, and tells how long they took.
    private static func rest(_ installation: HostileInstallation, _ findings: HostileFindings) async throws
        -> (median: Double, longest: Double)
    {
        let jobs = findings.jobs
        let pool = installation.database.pool
        do {
            try await eventually(within: restLimit, "the end of the honest users' jobs") {
                let open = try await pool.query(
                    "SELECT FROM sync_jobs WHERE job_id = ANY (\(jobs)) AND status IN ('queued', 'running') LIMIT 1"
                )
                return open.isEmpty
            }
        } catch let error as DeadlinePassed {
            findings.add("\(error)")
        }
        let rows = try await pool.query(
            """
            SELECT job_id::text AS id, user_id, status, coalesce(error_message, last_error, '') AS error,
                extract(epoch FROM completed_at - created_at)::float8 AS seconds
            FROM sync_jobs WHERE job_id = ANY (\(jobs))
            """
        )
        if rows.count < jobs.count { findings.add("\(jobs.count - rows.count) of \(jobs.count) honest jobs are gone") }
        var seconds: [Double] = []
        for row in rows {
            if let time = try row.decode("seconds", as: Double?.self) { seconds.append(time) }
            let status: String = try row.decode("status")
            guard status != "completed" else { continue }
            let user: String = try row.decode("user_id")
            findings.add("a job of \(user) is \(status): \(try row.decode("error", as: String.self).prefix(300))")
        }
        findings.tally.count("honest jobs", rows.count)
        seconds.sort()
        return (seconds.isEmpty ? 0 : seconds[seconds.count / 2], seconds.last ?? 0)
    }

    private static func judge(_ installation: HostileInstallation, _ memory: [String: Int], _ findings: HostileFindings)
    {
        for (name, run) in installation.programs {
            if run.hasEnded { findings.add("\(name) has ended") }
            if run.transcript.contains("Fatal error") { findings.add("\(name) says \"Fatal error\"") }
        }
        for (name, bytes) in memory where bytes > memoryLimit {
            findings.add("\(name) has taken \(bytes >> 20) MiB of memory")
        }
    }
}
