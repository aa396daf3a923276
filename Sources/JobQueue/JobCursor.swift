internal import Foundation
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

/// A part of the list of jobs, the newest first.
public struct JobPage: Sendable {
    public var jobs: [JobRecord]
    /// Where the list continues; nil at its end. Few jobs or none may stand before it: of a status that few have, a
    /// page ends after a number of jobs read.
    public var next: JobCursor?

    /// - Parameter rows: of ``PostgresQuery/jobs(_:after:limit:scanned:)`` with one job more than `limit`.
    init(_ rows: PostgresRows, limit: Int) throws {
        let found = try rows.filter { try $0.decode("job_id", as: UUID?.self) != nil }.map(JobRecord.init)
        jobs = Array(found.prefix(limit))
        if found.count > limit {
            next = jobs.last.map(JobCursor.init(after:))
        } else if let row = rows.first, let id = try row.decode("end_job_id", as: UUID?.self) {
            let instant = try row.decode("end_created_at", as: PostgresInstant.self)
            next = JobCursor(microseconds: instant.microseconds, id: JobID(id))
        }
    }
}
