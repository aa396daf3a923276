internal import Foundation

/// A place in the list of jobs, the newest first: behind the job of this time and identifier.
public struct JobCursor: Sendable, Hashable {
    /// When the job was created, in microseconds since 1970, the database's own precision.
    public let microseconds: Int64
    public let id: JobID

    public init(microseconds: Int64, id: JobID) {
        self.microseconds = microseconds
        self.id = id
    }

    /// The place behind a job.
    public init(after job: JobRecord) {
        microseconds = Int64((job.createdAt.timeIntervalSince1970 * 1e6).rounded())
        id = job.id
    }
}
