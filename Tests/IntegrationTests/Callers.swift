import CurlHTTP
import Foundation
import JobQueue
import Postgres
import TestSupport

/// The gateway, as it talks to the table and to the service at one address.
struct Gateway {
    let pool: PostgresPool
    let service: String
    private let http = HTTPClient()

    /// What the gateway tells its own caller.
    enum Start: Equatable {
        case accepted(JobID)
        /// The job is marked failed.
        case refused(JobID, status: Int)
    }

    init(pool: PostgresPool, service: String) {
        self.pool = pool
        self.service = service
    }

    /// Inserts a job, asks the service to run it, and marks it failed on anything but 200. A time-out counts as
    /// success.
    func startSync(user: String, full: Bool = false) async throws -> Start {
        let id = JobID()
        try await insert(id, user: user, full: full)
        let status: Int
        do {
            status = try await post(id, user: user, full: full).status
        } catch let error as CurlHTTPError where error.code == .timedOut {
            return .accepted(id)
        } catch is CurlHTTPError {
            status = 503
        }
        guard status != 200 else { return .accepted(id) }
        try await pool.execute(
            """
            UPDATE sync_jobs SET status = 'failed', error_message = 'Sync Service error'
            WHERE job_id = \(id.rawValue)
            """
        )
        return .refused(id, status: status)
    }

    func insert(_ id: JobID, user: String, full: Bool) async throws {
        try await pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes,
                error_message, completed_at)
            VALUES (\(id.rawValue), \(user), 'queued', \(full), 0, 0, 0, NULL, NULL)
            """
        )
    }

    struct Answer: Equatable {
        var status: Int
        var text: String
    }

    /// The call alone. The gateway gives an answer five seconds.
    func post(_ id: JobID, user: String, full: Bool = false) async throws -> Answer {
        let body: [String: Any] = [
            "job_id": "\(id)", "user_id": user, "full_sync": full, "main_database_name": NSNull(),
        ]
        let response = try await http.execute(
            HTTPRequest(
                method: .post,
                url: service + "/internal/sync/execute",
                headers: ["Content-Type": "application/json"],
                body: Array(try JSONSerialization.data(withJSONObject: body)),
                timeout: .seconds(5)
            )
        )
        return Answer(status: response.status, text: String(decoding: response.body, as: UTF8.self))
    }

    /// Whether a balancer would send it calls.
    func isReady() async -> Bool {
        let request = HTTPRequest(url: service + "/readyz", timeout: .seconds(2))
        return (try? await http.execute(request))?.status == 200
    }

    /// How a job stands, as the gateway tells its caller; nil for anything but 200.
    func status(of id: JobID) async throws -> String? {
        struct Status: Decodable { var status: String }
        let response = try await http.execute(
            HTTPRequest(url: service + "/internal/sync/status/\(id)", timeout: .seconds(10))
        )
        guard response.status == 200 else { return nil }
        return try JSONDecoder().decode(Status.self, from: Data(response.body)).status
    }
}

/// The admin interface, as it talks to the service. It reads the tables itself.
struct AdminInterface {
    let service: String
    private let http = HTTPClient()

    init(service: String) {
        self.service = service
    }

    struct Refused: Error, CustomStringConvertible {
        let status: Int
        let description: String
    }

    /// Starts a sync, or starts one again; it inserts no row, and goes on to the page of the job it is told.
    func startSync(user: String, full: Bool) async throws -> JobID {
        struct Started: Decodable { var jobId: String }
        let body: [String: Any] = ["user_id": user, "full_sync": full, "main_database_name": "Keep"]
        let answer = try await post("/internal/sync/execute", try JSONSerialization.data(withJSONObject: body))
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let id = JobID(parsing: try decoder.decode(Started.self, from: answer).jobId) else {
            throw Refused(status: 200, description: "no job in \(String(decoding: answer, as: UTF8.self))")
        }
        return id
    }

    /// The abort button: no body at all.
    func abort(_ id: JobID) async throws {
        _ = try JSONSerialization.jsonObject(with: try await post("/internal/sync/abort/\(id)", nil))
    }

    private func post(_ path: String, _ body: Data?) async throws -> Data {
        let response = try await http.execute(
            HTTPRequest(
                method: .post,
                url: service + path,
                headers: body == nil ? [:] : ["Content-Type": "application/json"],
                body: body.map(Array.init),
                timeout: .seconds(10)
            )
        )
        let answer = Data(response.body)
        guard response.status == 200 else {
            throw Refused(status: response.status, description: String(decoding: answer, as: UTF8.self))
        }
        return answer
    }
}
