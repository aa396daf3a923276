import CurlHTTP
import Foundation
import JobQueue
import Postgres
import TestSupport

/// What is measured of one database, whatever it holds: the milliseconds of the operations that must not grow.
struct GrowthProbe: Sendable {
    let installation: SyncInstallation
    let jobs: Int

    private var database: BenchDatabase { installation.database }
    private var statistics: StatementStatistics { StatementStatistics(database: installation.database) }

    /// Milliseconds.
    struct Sample: Sendable {
        var claim: Double
        var finish: Double
        var status: Double
        var scrape: Double
        var sync: Double
    }

    /// Mean milliseconds of a statement.
    typealias Drain = (claim: Double, finish: Double)

    static let user = "100-500-growth"

    /// Makes what a measurement needs: a user all of whose notes are up to date.
    static func prepare(_ database: BenchDatabase, jobs: Int) async throws -> GrowthProbe {
        let probe = GrowthProbe(installation: try await SyncInstallation.start(on: database), jobs: jobs)
        try await probe.statistics.prepare()
        try await probe.installation.addUsers([user])
        _ = try await probe.syncs(1)
        return probe
    }

    func measure(_ tag: String) async throws -> Sample {
        let (claim, finish) = try await drain(tag)
        return Sample(
            claim: claim,
            finish: finish,
            status: try await status(),
            scrape: try await scrape(),
            sync: try await syncs(30)
        )
    }

    /// Claims and finishes of no-op jobs, as the server counts them.
    func drain(_ tag: String) async throws -> Drain {
        let table = JobTable(database: database)
        try await table.add(jobs, prefix: "noop-\(tag)-")
        let fleet = try await WorkerFleet.start(WorkerFleet.Options(workers: 1, slots: 16), on: database)
        try await statistics.reset()
        try fleet.go()
        try await table.waitUntilDrained(by: fleet, jobs: jobs)
        let means = try await means()
        try await fleet.stop()
        return means
    }

    /// Claims and finishes of the first and of the last tenth of so many no-op jobs, as the server counts them.
    func drainTenths(of jobs: Int, _ tag: String) async throws -> (first: Drain, last: Drain) {
        let table = JobTable(database: database)
        try await table.add(jobs, prefix: "noop-\(tag)-")
        let fleet = try await WorkerFleet.start(WorkerFleet.Options(workers: 1, slots: 16), on: database)
        try await statistics.reset()
        try fleet.go()
        try await eventually(within: .seconds(600), "the first tenth") { fleet.jobs >= jobs / 10 }
        let first = try await means()
        try await eventually(within: .seconds(600), "the last tenth") { fleet.jobs >= jobs / 10 * 9 }
        try await statistics.reset()
        try await table.waitUntilDrained(by: fleet, jobs: jobs)
        let last = try await means()
        try await fleet.stop()
        return (first, last)
    }

    private func means() async throws -> Drain {
        (
            claim: try await statistics.meanMilliseconds(of: "started_at = coalesce(j.started_at"),
            finish: try await statistics.meanMilliseconds(of: "g.spends_attempt")
        )
    }

    /// The look-up of one job that the sidecar does.
    private func status() async throws -> Double {
        let rows = try await database.pool.query("SELECT job_id FROM sync_jobs ORDER BY created_at DESC LIMIT 300")
        let client = JobClient(pool: database.pool)
        var times: [Double] = []
        for row in rows {
            let id = JobID(try row.decode("job_id"))
            let began = ContinuousClock.now
            guard try await client.job(id) != nil else { throw BenchError("job \(id) is gone") }
            times.append((ContinuousClock.now - began).inSeconds * 1000)
        }
        return times.median
    }

    /// Database time of one answer of the sidecar's `/metrics`.
    private func scrape() async throws -> Double {
        let (sidecar, url) = try await installation.startSidecar()
        let http = HTTPClient()
        defer { http.shutdown() }
        let scrapes = 10
        _ = try await http.execute(HTTPRequest(url: url + "/metrics"))
        try await statistics.reset()
        for _ in 0..<scrapes {
            let response = try await http.execute(HTTPRequest(url: url + "/metrics"))
            guard response.status == 200 else { throw BenchError("/metrics answered \(response.status)") }
        }
        let total = try await statistics.totalMilliseconds()
        try await installation.stop(sidecar)
        return total / Double(scrapes)
    }

    /// Median of the run times of incremental syncs with nothing changed.
    private func syncs(_ count: Int) async throws -> Double {
        let worker = try await installation.startWorker()
        var times: [Double] = []
        for _ in 0..<count {
            let id = UUID()
            try await database.pool.execute(
                "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (\(id), \(Self.user), 'queued')"
            )
            var row: PostgresRow?
            try await eventually(within: .seconds(60), "the end of a sync") {
                row = try await database.pool.query(
                    """
                    SELECT status, extract(epoch FROM completed_at - timezone('utc', started_at))::float8 AS seconds
                    FROM sync_jobs WHERE job_id = \(id) AND status IN ('completed', 'failed')
                    """
                ).first
                return row != nil
            }
            guard let row, try row.decode("status", as: String.self) == "completed" else {
                throw BenchError("an incremental sync failed; its reason is in sync_logs")
            }
            times.append(try row.decode("seconds", as: Double.self) * 1000)
        }
        try await installation.stop(worker)
        return times.median
    }
}
