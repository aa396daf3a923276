internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Jobs, the newest first, that meet a filter.
    ///
    /// With a user `sync_jobs_user_recent` serves it, else `sync_jobs_recent`, and for failed and cancelled ones
    /// `sync_jobs_unsuccessful`. Each set of filters is a statement of its own: one for all of them has
    /// one plan for all of them. A known status stands in it as it is, because the plan has to know it.
    ///
    /// No index has the status, nor the rest of a filter, so what few jobs have is looked for in a stretch of `scanned`
    /// entries of that index: however rare it is, no more is read.
    ///
    /// Each row: where that stretch ends, `end_created_at` and `end_job_id`, NULLs if there is nothing behind it; then
    /// a job, or NULLs if there is none.
    static func jobs(
        _ filter: JobFilter,
        after cursor: JobCursor? = nil,
        limit: Int,
        scanned: Int = 5000
    ) -> PostgresQuery {
        let list = JobList(filter: filter, cursor: cursor)
        var query = StringInterpolation(literalCapacity: 1500, interpolationCount: 10)
        query.appendLiteral("WITH stretch AS MATERIALIZED (")
        if filter.isSelective {
            query.appendLiteral("SELECT created_at, job_id FROM sync_jobs")
            list.appendPlace(to: &query)
            query.appendLiteral(" ORDER BY created_at DESC, job_id DESC OFFSET \(scanned - 1) LIMIT 1")
        } else {
            query.appendLiteral("SELECT NULL::timestamp AS created_at, NULL::uuid AS job_id")
        }
        query.appendLiteral(
            """
            )
            SELECT (SELECT created_at FROM stretch) AS end_created_at, (SELECT job_id FROM stretch) AS end_job_id, found.*
            FROM (SELECT) AS always LEFT JOIN (
            """
        )
        if filter.isCostly {
            // What it costs to compare texts would outweigh the choice of the index, which is made below it.
            query.appendLiteral("\(jobSelection(texts: shortText)) FROM (SELECT * FROM sync_jobs")
            list.appendPlace(to: &query)
            list.appendEnd(to: &query)
            query.appendLiteral(" ORDER BY created_at DESC, job_id DESC OFFSET 0) AS sync_jobs WHERE true")
        } else {
            query.appendLiteral(jobColumns(texts: shortText))
            list.appendPlace(to: &query)
            list.appendEnd(to: &query)
        }
        list.appendConditions(to: &query)
        query.appendLiteral(" ORDER BY created_at DESC, job_id DESC LIMIT ")
        query.appendInterpolation(limit)
        query.appendLiteral(") AS found ON true")
        return .byIndex(PostgresQuery(stringInterpolation: query))
    }

    /// The same of a user and a status; one that is nil matches all.
    static func jobs(
        user: UserID? = nil,
        status: JobStatus? = nil,
        after cursor: JobCursor? = nil,
        limit: Int,
        scanned: Int = 5000
    ) -> PostgresQuery {
        let filter = JobFilter(user: user, statuses: status.map { [$0] } ?? [])
        return jobs(filter, after: cursor, limit: limit, scanned: scanned)
    }
}

/// The conditions of a list of jobs.
private struct JobList {
    let filter: JobFilter
    let cursor: JobCursor?

    /// What failed has its error in the one column, what is tried again in the other.
    private static let error = "coalesce(error_message, last_error, '')"

    /// The conditions that an index serves.
    func appendPlace(to query: inout PostgresQuery.StringInterpolation) {
        query.appendLiteral(" WHERE true")
        if let user = filter.user {
            query.appendLiteral(" AND user_id = ")
            query.appendInterpolation(user.rawValue)
        }
        if filter.isOfUnsuccessful { query.appendLiteral(" AND failed_at IS NOT NULL") }
        if let cursor {
            query.appendLiteral(" AND (created_at, job_id) < (timezone('utc', ")
            query.appendInterpolation(cursor.instant)
            query.appendLiteral("), ")
            query.appendInterpolation(cursor.id.rawValue)
            query.appendLiteral(")")
        }
    }

    /// The end of the stretch that is read for the conditions that none serves.
    func appendEnd(to query: inout PostgresQuery.StringInterpolation) {
        guard filter.isSelective else { return }
        query.appendLiteral(
            """
             AND (created_at, job_id) >= (
                coalesce((SELECT created_at FROM stretch), '-infinity'),
                coalesce((SELECT job_id FROM stretch), '00000000-0000-0000-0000-000000000000'))
            """
        )
    }

    /// Those conditions.
    func appendConditions(to query: inout PostgresQuery.StringInterpolation) {
        appendStatuses(to: &query)
        if let age = filter.age {
            query.appendLiteral(
                " AND greatest(created_at, completed_at) >= timezone('utc', now() - make_interval(secs => "
            )
            query.appendInterpolation(age.seconds)
            query.appendLiteral("))")
        }
        if let cause = filter.cause {
            // As the alert's key is made when the job fails.
            query.appendLiteral(
                " AND status = 'failed' AND sync_alert_cause(left(coalesce(error_message, last_error), 2000), user_id) = "
            )
            query.appendInterpolation(cause)
        }
        if let error = filter.error {
            query.appendLiteral(" AND strpos(lower(\(Self.error)), lower(")
            query.appendInterpolation(error)
            query.appendLiteral(")) > 0")
        }
        if filter.hasFailedNotes { query.appendLiteral(" AND failed_notes > 0") }
    }

    private func appendStatuses(to query: inout PostgresQuery.StringInterpolation) {
        guard !filter.statuses.isEmpty else { return }
        query.appendLiteral(" AND status IN (")
        for (place, status) in filter.statuses.enumerated() {
            if place > 0 { query.appendLiteral(", ") }
            if case .unknown(let word) = status {
                query.appendInterpolation(word)
            } else {
                query.appendLiteral("'\(status.rawValue)'")
            }
        }
        query.appendLiteral(")")
    }
}
