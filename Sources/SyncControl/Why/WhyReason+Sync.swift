import Foundation
import JobQueue
import NoteSync
import Postgres

// What keeps a job that the queue knows nothing of: credentials, keys, tables.

extension WhyReason {
    /// A job of a user without credentials fails as soon as it is claimed.
    static func credentialsMissing(_ diagnosis: JobDiagnosis) -> WhyReason {
        let job = diagnosis.job
        let user = job.userID
        let set = user.shellCommand("syncctl credentials set", "--database-id ID")
        let isFailed = job.status == .failed
        let failed = job.completedAt.map { " at \(WhyTimes(now: diagnosis.now).past($0))" } ?? ""
        return WhyReason(
            code: "credentials_missing",
            sentence: isFailed
                ? "Job \(job.id) failed\(failed), and there are no credentials for user \(user.rawValue): each attempt fails until they are stored."
                : "Job \(job.id) fails as soon as a worker takes it: there are no credentials for user \(user.rawValue).",
            since: isFailed ? job.completedAt : job.createdAt,
            blocker: Blocker(kind: "credentials", fields: [("user_id", .string(user.rawValue))]),
            command: isFailed ? "\(set) && syncctl retry \(job.id)" : set
        )
    }

    /// No worker runs, and one that is given the keys of this command ends at its start.
    static func wrongKey(of diagnosis: JobDiagnosis) -> WhyReason {
        WhyReason(
            code: "wrong_key",
            sentence:
                "Job \(diagnosis.job.id) waits for a worker, and none is running: AWS_ENCRYPTION_KEY as this command has it opens "
                + "nothing of what is stored, and a worker that has the same ends at once. Start one with the key in use in place of KEY.",
            since: diagnosis.job.runAt,
            blocker: Blocker(kind: "key", fields: [("variable", "AWS_ENCRYPTION_KEY"), ("opens", "nothing")]),
            command: "AWS_ENCRYPTION_KEY=KEY sync-worker"
        )
    }

    /// The job has failed as its worker's keys did not open the user's tokens.
    ///
    /// - Parameter set: the command that stores them again.
    static func undecipherable(_ diagnosis: JobDiagnosis, set: String) -> WhyReason {
        let job = diagnosis.job
        let failed = job.completedAt.map { " at \(WhyTimes(now: diagnosis.now).past($0))" } ?? ""
        return WhyReason(
            code: "wrong_key",
            sentence:
                "Job \(job.id) failed\(failed) because its worker's keys do not open the credentials of user \(job.userID.rawValue). Add "
                + "the key they were stored with to AWS_ENCRYPTION_KEY of the workers, after a comma, and retry the job; if nobody has it, "
                + "store the credentials again.",
            since: job.completedAt,
            blocker: Blocker(kind: "credentials", fields: [("user_id", .string(job.userID.rawValue))]),
            command: "\(set) && syncctl retry \(job.id)"
        )
    }

    /// The tables are not those that the programs of this version know; nil: they are.
    init?(schema statuses: [MigrationStatus]) {
        let unfit = statuses.filter { !$0.state.isFit }
        guard let first = unfit.first else { return nil }
        let isPendingOnly = unfit.allSatisfy { $0.state == .pending }
        let files = unfit.map(\.fileName).joined(separator: ", ")
        self.init(
            code: "schema_not_current",
            sentence: isPendingOnly
                ? "The tables are not up to date, and workers of this version do not start on them: pending: \(files)."
                : "The tables are not those of this version, and its workers do not start on them: \(first.fileName) "
                    + "\(first.state.explanation).",
            blocker: Blocker(
                kind: "migration",
                fields: [
                    ("file", .string(first.fileName)), ("state", .string(first.state.word)),
                    ("count", .int(unfit.count)),
                ]
            ),
            command: isPendingOnly ? "syncctl migrate" : nil
        )
    }
}
