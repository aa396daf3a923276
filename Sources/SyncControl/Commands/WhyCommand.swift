import ArgumentParser
import FlowControl
import JobQueue
import NoteSync
import Postgres
import ServiceHealth
import SyncSchema

/// `syncctl why`.
struct WhyCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Say in a sentence why a job does not run, or how it goes, and what to do.",
        discussion: """
            Asks what a claim asks, condition by condition. The sentence says what the job waits for, since when, and until when \
            where that can be known; then come the row that blocks it, the command that unblocks it, and what else is in the way. \
            Nothing is changed. The exit code is 0 also where the job waits.

            --json has the same as fields. "reason" is one of: due_later, retrying, paused, pause_ended, gate_closed, \
            breaker_open, behind_running_job, behind_queued_job, parked, locked, not_in_queue, no_worker, wrong_key, claims_held, \
            claims_failing, workers_full, credentials_missing, schema_not_current, claimable, running, worker_lost, \
            run_outside, completed, failed, cancelled, unknown_status.

            Examples:
              syncctl why 6f1c2f9e
              syncctl why 6f1c2f9e --json | jq -r .command
            """
    )

    @Argument(help: "The job.", transform: JobReference.argument)
    var jobID: JobReference
    @OptionGroup var json: JSONOption

    /// Tables that are not up to date are an answer.
    var checksTables: Bool { false }

    func run(_ session: DatabaseSession) async throws {
        let statuses = try await session.pool.withConnection { connection in
            try await Migrator(migrations: SyncSchema.migrations).status(on: connection)
        }
        if let reason = WhyReason(schema: statuses) {
            return try print(WhyAnswer(job: nil, reasons: [reason]))
        }
        if let warning = statuses.warning { StandardStream.error.note("syncctl: \(warning).") }
        let id = try await jobID.resolved(session.jobs)
        guard let user = try await session.jobs.job(id)?.userID else { throw SyncControlError.noJob(id) }
        let gates = await session.gates(of: user)
        guard let diagnosis = try await session.jobs.why(id, behind: Peer.gates + gates) else {
            throw SyncControlError.noJob(id)
        }
        let job = diagnosis.job
        try print(
            WhyAnswer(
                job: (job.id.description, job.userID.rawValue, job.status.rawValue),
                reasons: try await reasons(diagnosis, session),
                isClaimable: diagnosis.isClaimable
            )
        )
    }

    private func print(_ answer: WhyAnswer) throws {
        if json.isWanted {
            try answer.json.print()
        } else {
            try StandardStream.output.write(answer.text(on: .output))
        }
    }

    /// What the queue says, and what makes a job fail that the queue knows nothing of.
    private func reasons(_ diagnosis: JobDiagnosis, _ session: DatabaseSession) async throws -> [WhyReason] {
        var reasons = diagnosis.findings.map { WhyReason($0, of: diagnosis) }
        let user = diagnosis.job.userID
        switch diagnosis.job.status {
        case .queued:
            if let place = reasons.firstIndex(where: { $0.code == "no_worker" }),
                try await session.opensWhatIsStored() == false
            {
                reasons.insert(.wrongKey(of: diagnosis), at: place)
            }
            if try await !CredentialStore(pool: session.pool).exists(user) {
                let place = reasons.firstIndex { $0.code == "claimable" } ?? reasons.endIndex
                reasons.insert(.credentialsMissing(diagnosis), at: place)
            }
        case .failed:
            let store = try CredentialStore(pool: session.pool)
            if try await !store.exists(user) {
                reasons.insert(.credentialsMissing(diagnosis), at: 0)
            } else if CredentialStore.saysUndecipherable(diagnosis.job.errorMessage ?? "") {
                let set = try await store.setCommand(of: user)
                reasons.insert(.undecipherable(diagnosis, set: set), at: 0)
            }
        default: break
        }
        return reasons
    }
}
