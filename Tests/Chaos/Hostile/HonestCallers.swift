import Foundation
import Postgres
import Support
import TestSupport

/// What goes on beside the hostility, and must not suffer: honest users' jobs, by INSERT and by POST, and an
/// orchestrator's probes.
///
/// Each request has a connection of its own, as the gateway's and an orchestrator's have: one that lies idle may be
/// closed for another at the moment it is used again.
struct HonestCallers: Sendable {
    let installation: HostileInstallation
    let findings: HostileFindings

    func run(until deadline: ContinuousClock.Instant) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for port in [installation.sidecarPort, installation.intakePort] {
                group.addTask { await probe(port, until: deadline) }
            }
            group.addTask { try await start(until: deadline) }
            try await group.waitForAll()
        }
    }

    private func probe(_ port: Int, until deadline: ContinuousClock.Instant) async {
        while .now < deadline {
            findings.tally.count("probes")
            _ = await isAnswered("a probe of port \(port)") {
                try await wireRequest(port: port, "GET", "/livez")
            }
            await pause(.milliseconds(300))
        }
    }

    /// Whether a request is answered 200; whatever else comes of it is a finding. How long it takes on a machine that
    /// is busy with the hostile ones is a figure.
    private func isAnswered(_ what: String, _ request: () async throws -> WireAnswer) async -> Bool {
        let began = ContinuousClock.now
        do {
            let answer = try await request()
            guard answer.ending == .complete, answer.status == 200 else {
                findings.add("\(what) was answered \(answer.status), \(answer.ending)")
                return false
            }
            findings.answered(after: .now - began)
            return true
        } catch {
            findings.add("\(what) failed: \(error)")
            return false
        }
    }

    private func start(until deadline: ContinuousClock.Instant) async throws {
        let gateway = try await installation.database.connect(as: "sync_gateway")
        var number = 0
        while .now < deadline {
            let user = HostileUsers.honest[number % HostileUsers.honest.count]
            number += 1
            let id = UUID()
            if number.isMultiple(of: 2) {
                try await gateway.execute(
                    """
                    INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes,
                        error_message, completed_at)
                    VALUES (\(id), \(user), 'queued', false, 0, 0, 0, NULL, NULL)
                    """
                )
                findings.begun(id)
            } else if await post(id, user) {
                findings.begun(id)
            }
            await pause(.milliseconds(400))
        }
        await gateway.close()
    }

    private func post(_ id: UUID, _ user: String) async -> Bool {
        await isAnswered("a start of \(user)") {
            try await wireRequest(
                port: installation.intakePort,
                "POST",
                "/internal/sync/execute",
                body: #"{"job_id":"\#(id.uuidString.lowercased())","user_id":"\#(user)","full_sync":false}"#
            )
        }
    }

    private func pause(_ duration: Duration) async {
        // It ends early only when the run does.
        try? await DeadlineQueue.shared.sleep(for: duration)
    }
}

/// What a hostile run has found wrong so far, and the jobs that are to be done at its end.
final class HostileFindings: Sendable {
    private struct State {
        var violations: [String] = []
        var jobs: [UUID] = []
        var slowestAnswer = Duration.zero
    }

    let tally = HostileTally()
    private let state = Mutex(State())

    func add(_ violation: String) { state.withLock { $0.violations.append(violation) } }

    func begun(_ job: UUID) { state.withLock { $0.jobs.append(job) } }

    func answered(after time: Duration) {
        state.withLock { $0.slowestAnswer = max($0.slowestAnswer, time) }
    }

    var slowestAnswer: Duration { state.withLock { $0.slowestAnswer } }
    var violations: [String] { state.withLock { $0.violations } }
    var jobs: [UUID] { state.withLock { $0.jobs } }
}
