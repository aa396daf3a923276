internal import Postgres

/// A place in the list of jobs, the newest first: behind the job of this time and identifier.
public struct JobCursor: Sendable, Hashable {
    /// When the job was created, in microseconds since 2000, as the database counts; the extremes are its infinities.
    public let microseconds: Int64
    public let id: JobID

    public init(microseconds: Int64, id: JobID) {
        self.microseconds = microseconds
        self.id = id
    }

    /// The place behind a job.
    public init(after job: JobRecord) {
        microseconds = job.createdMicroseconds
        id = job.id
    }

    var instant: PostgresInstant { PostgresInstant(microseconds: microseconds) }
}
