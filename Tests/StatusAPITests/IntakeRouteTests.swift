import CurlHTTP
import Foundation
import JobQueue
import Logging
import Postgres
import TestSupport
import Testing

/// The two POST routes of `sync-intake`, to the letter.
@Suite("Routes of the intake", .migrated)
struct IntakeRouteTests {
    private static let execute = "/internal/sync/execute"

    private func withIntake(_ changes: [String: String] = [:], _ body: (StatusFixture) async throws -> Void)
        async throws
    {
        try await StatusFixture.with(program: "sync-intake", changes, body)
    }

    // MARK: Starting

    /// The gateway inserts its row and names it; the row stays as it is.
    @Test func aStartOfARowThatIsThere() async throws {
        try await withIntake { fixture in
            let id = try await fixture.insertJob(full: false)
            for _ in 1...2 {
                let answer = try await fixture.post(
                    Self.execute,
                    #"{"job_id":"\#(id)","user_id":"anna@example.org","full_sync":true,"main_database_name":null}"#
                )
                #expect(answer.status == 200)
                #expect(
                    answer.text == """
                        {"job_id":"\(id)","status":"queued","summary":{"message":"Sync job queued successfully"},"error":null}
                        """
                )
            }
            let jobs = try await fixture.jobs.jobs(limit: 10)
            #expect(jobs.map(\.id) == [id])
            #expect(jobs.first?.isFullSync == false, "the row is the gateway's")
            // Whatever its status.
            try await fixture.database.pool.execute("UPDATE sync_jobs SET status = 'cancelled'")
            let late = try await fixture.post(Self.execute, #"{"job_id":"\#(id)","user_id":"anna@example.org"}"#)
            #expect(late.status == 200)
            #expect(try await fixture.jobs.job(id)?.status == .cancelled)
        }
    }

    /// The admin interface inserts nothing, and goes on to the page of the job that it is told.
    @Test func aStartWithoutARow() async throws {
        try await withIntake { fixture in
            for (body, full) in [
                (#"{"user_id":"bob","full_sync":true,"main_database_name":"Keep"}"#, true),
                (#"{"user_id":"bob","full_sync":false}"#, false), (#"{"user_id":"bob"}"#, false),
                (#"{"user_id":"bob","job_id":null}"#, false), (#"{"user_id":"bob","job_id":""}"#, false),
            ] {
                let answer = try await fixture.post(Self.execute, body)
                #expect(answer.status == 200, "\(body): \(answer.text)")
                let text = try #require(try answer.json["job_id"] as? String)
                let id = try #require(JobID(parsing: text))
                let job = try #require(try await fixture.jobs.job(id))
                #expect(job.userID == UserID("bob") && job.status == .queued && job.isFullSync == full, "\(body)")
                #expect(try await fixture.request("/internal/sync/status/\(id)").status == 200)
            }
        }
    }

    @Test func aJobMayBeWrittenAsPythonReadsIt() async throws {
        try await withIntake { fixture in
            let id = JobID()
            let digits = "\(id)".replacing("-", with: "")
            for text in ["\(id)", "\(id)".uppercased(), digits, "{\(id)}", "urn:uuid:\(id)"] {
                let answer = try await fixture.post(Self.execute, #"{"job_id":"\#(text)","user_id":"bob"}"#)
                #expect(try answer.json["job_id"] as? String == "\(id)", "\(text)")
            }
            #expect(try await fixture.jobs.jobs(limit: 10).count == 1)
            for text in [
                "x", digits + "0", String(digits.dropLast()), "\(digits.dropLast())g", "{}", "٣\(digits.dropFirst())",
            ] {
                let answer = try await fixture.post(Self.execute, #"{"job_id":"\#(text)","user_id":"bob"}"#)
                #expect(answer.status == 400, "\(text)")
                #expect(answer.text == #"{"detail":"Invalid job_id format"}"#)
            }
        }
    }

    @Test func bodiesThatSayTooLittle() async throws {
        try await withIntake { fixture in
            let missing = try await fixture.post(Self.execute, "{}")
            #expect(missing.status == 422)
            #expect(
                missing.text
                    == #"{"detail":[{"type":"missing","loc":["body","user_id"],"msg":"Field required"}]}"#
            )
            let long = String(repeating: "ü", count: 256)
            for body in [
                "", "{", "[]", "null", "\"bob\"", #"{"user_id":null}"#, #"{"user_id":7}"#, #"{"user_id":""}"#,
                #"{"user_id":"  "}"#,
                #"{"user_id":"a\u0000b"}"#, #"{"user_id":"\#(long)"}"#, #"{"user_id":"bob","full_sync":"yes"}"#,
                #"{"user_id":"bob","full_sync":null}"#, #"{"user_id":"bob","full_sync":2}"#,
                #"{"user_id":"bob","job_id":7}"#,
                String(repeating: "[", count: 30_000), #"{"user_id":"\ud800"}"#,
            ] {
                let answer = try await fixture.post(Self.execute, body)
                #expect(answer.status == 422, "\(body.prefix(60)): \(answer.text)")
                let detail = try answer.json["detail"] as? [[String: Any]]
                #expect(detail?.isEmpty == false)
                #expect(detail?.allSatisfy { Set($0.keys) == ["type", "loc", "msg"] } == true)
            }
            let both = try await fixture.post(Self.execute, #"{"full_sync":1,"job_id":{}}"#)
            #expect((try both.json["detail"] as? [Any])?.count == 3)
            #expect(try await fixture.jobs.jobs(limit: 10).isEmpty)
            let longest = try await fixture.post(Self.execute, #"{"user_id":"\#(long.dropLast())"}"#)
            #expect(longest.status == 200)
        }
    }

    @Test func bodiesThatAreNoJSON() async throws {
        try await withIntake { fixture in
            let body = #"{"user_id":"bob"}"#
            for type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
                let answer = try await fixture.post(Self.execute, body, ["Content-Type": type])
                #expect(answer.status == 422, "\(type)")
            }
            for type in ["application/json; charset=utf-8", "Application/JSON", "application/problem+json"] {
                let answer = try await fixture.post(Self.execute, body, ["Content-Type": type])
                #expect(answer.status == 200, "\(type)")
            }
        }
    }

    // MARK: Aborting

    @Test func abortsOfJobsInEveryState() async throws {
        try await withIntake { fixture in
            let id = try await fixture.insertJob()
            let answer = try await fixture.post("/internal/sync/abort/\(id)", "")
            #expect(answer.status == 200)
            #expect(
                answer.text
                    == "{\"job_id\":\"\(id)\",\"status\":\"cancelled\",\"message\":\"Sync job has been cancelled\"}"
            )
            let job = try #require(try await fixture.jobs.job(id))
            #expect(job.status == .cancelled && job.errorMessage == "Job cancelled by user")
            #expect(abs(try #require(job.completedAt).timeIntervalSinceNow) < 60)
            let lines = try await fixture.jobs.logs(of: id)
            #expect(lines.map(\.level) == ["WARNING"])
            #expect(lines.map(\.message) == ["Sync job cancelled by user"])

            for status in ["completed", "failed", "cancelled"] {
                try await fixture.database.pool.execute(
                    "UPDATE sync_jobs SET status = \(status), error_message = 'why' WHERE job_id = \(id.rawValue)"
                )
                let refused = try await fixture.post("/internal/sync/abort/\(id)", "")
                #expect(refused.status == 400)
                #expect(refused.text == "{\"detail\":\"Cannot abort job with status '\(status)'\"}")
            }
            #expect(try await fixture.jobs.job(id)?.errorMessage == "why")
            #expect(try await fixture.jobs.logs(of: id).count == 1)
            // A word that only another version knows is no end.
            try await fixture.database.pool.execute("UPDATE sync_jobs SET status = 'paused'")
            #expect(try await fixture.post("/internal/sync/abort/\(id)", "").status == 200)
        }
    }

    @Test func abortsOfNothing() async throws {
        try await withIntake { fixture in
            let bad = try await fixture.post("/internal/sync/abort/no-uuid", "")
            #expect(bad.status == 400)
            #expect(bad.text == #"{"detail":"Invalid job_id format"}"#)
            let id = JobID()
            let missing = try await fixture.post("/internal/sync/abort/\(id)", "")
            #expect(missing.status == 404)
            #expect(missing.text == "{\"detail\":\"Sync job \(id) not found\"}")
        }
    }

    // MARK: Who may call, and how

    @Test func webPagesMayNot() async throws {
        try await withIntake { fixture in
            let id = try await fixture.insertJob()
            for header in ["Origin": "http://127.0.0.1:8005", "Sec-Fetch-Site": "same-origin"] {
                for (path, body) in [(Self.execute, #"{"user_id":"bob"}"#), ("/internal/sync/abort/\(id)", "")] {
                    let answer = try await fixture.post(path, body, [header.key: header.value])
                    #expect(answer.status == 403, "\(path) \(header)")
                }
                // Reading stays as it is.
                let read = try await fixture.request("/health", headers: [header.key: header.value])
                #expect(read.status == 200)
            }
            #expect(try await fixture.post(Self.execute, #"{"user_id":"bob"}"#, ["Origin": "null"]).status == 403)
            let preflight = try await fixture.request(Self.execute, method: HTTPMethod(rawValue: "OPTIONS"))
            #expect(preflight.status == 405)
            #expect(preflight.header("Access-Control-Allow-Origin") == nil)
            #expect(try await fixture.jobs.jobs(limit: 10).map(\.status) == [.queued])
        }
    }

    @Test func aTokenIsAskedForWhereOneIsSet() async throws {
        let token = "0123456789abcdef-token"
        try await withIntake(["SYNC_INTAKE_TOKEN": token]) { fixture in
            let id = try await fixture.insertJob()
            let body = #"{"user_id":"bob"}"#
            for shown in [
                nil, "Bearer", "Bearer ", "Bearer \(token)x", "Bearer \(token.dropLast())", "Basic \(token)", token,
            ] {
                let headers = shown.map { ["Authorization": $0] } ?? [:]
                for path in [Self.execute, "/internal/sync/abort/\(id)"] {
                    let answer = try await fixture.post(path, body, headers)
                    #expect(answer.status == 401, "\(shown ?? "nothing")")
                    #expect(answer.header("WWW-Authenticate") == "Bearer")
                    #expect(!answer.text.contains(token))
                }
            }
            #expect(try await fixture.request("/internal/sync/status/\(id)").status == 200)
            for scheme in ["Bearer", "bearer"] {
                let answer = try await fixture.post(Self.execute, body, ["Authorization": "\(scheme) \(token)"])
                #expect(answer.status == 200)
            }
            let abort = try await fixture.post("/internal/sync/abort/\(id)", "", ["Authorization": "Bearer \(token)"])
            #expect(abort.status == 200)
            #expect(!fixture.server.transcript.contains(token))
        }
    }

    /// The gateway keeps the answer to itself: the log says why its jobs fail.
    @Test func refusedCallsAreLogged() async throws {
        try await withIntake(["SYNC_INTAKE_TOKEN": "0123456789abcdef-token"]) { fixture in
            for _ in 1...20 { #expect(try await fixture.post(Self.execute, #"{"user_id":"bob"}"#).status == 401) }
            let line = try await fixture.server.waitForLine(containing: "A call was refused")
            #expect(line.contains("WARNING") && line.contains("SYNC_INTAKE_TOKEN") && line.contains("401"))
            // One a second, however many there are.
            #expect(fixture.server.standardOutput.count { $0.contains("A call was refused") } < 20)
        }
        try await withIntake { fixture in
            #expect(try await fixture.post(Self.execute, "{}").status == 422)
            _ = try await fixture.server.waitForLine(containing: "422")
            #expect(try await fixture.post(Self.execute, "{}", ["Origin": "null"]).status == 403)
            _ = try await fixture.server.waitForLine(containing: "web page")
        }
    }

    @Test func aDatabaseThatCannotBeUsedIsSaidAtStart() async throws {
        let database = try TestDatabase.current
        let wrong = database.connectionString.replacing("/\(database.name)", with: "/not_there")
        #expect(wrong != database.connectionString)
        try await withIntake(["DATABASE_URL": wrong]) { fixture in
            let line = try await fixture.server.waitForLine(containing: "The database cannot be used yet")
            #expect(line.contains("not_there") && line.contains("DATABASE_URL"))
            #expect(try await fixture.request("/livez").status == 200)
        }
        try await withProgram("sync-intake", environment: ["DATABASE_URL": "postgresql+psycopg2://db/x?no_such=1"]) {
            intake in
            let exit = try await intake.waitForExit()
            #expect(exit == .code(78))
            #expect(intake.transcript.contains("DATABASE_URL"))
        }
        try await withProgram("sync-intake", environment: ["SYNC_SERVICE_HOST": "no-such-host.invalid"]) { intake in
            let exit = try await intake.waitForExit()
            #expect(exit == .code(78))
            #expect(intake.transcript.contains("no-such-host.invalid"))
        }
    }

    /// An answer to HEAD that had a body would be read as the next answer.
    @Test func refusalsOfHEADHaveNoBody() async throws {
        try await withIntake { fixture in
            for (path, status) in [(Self.execute, 405), ("/nope", 404), ("/health", 200)] {
                let answer = try await wireRequest(port: try fixture.port, "HEAD", path)
                #expect(answer.status == status)
                #expect(answer.body.isEmpty, "\(path): \(answer.text)")
            }
        }
    }

    @Test func methodsOfTheRoutes() async throws {
        try await withIntake { fixture in
            for path in [Self.execute, "/internal/sync/abort/\(JobID())"] {
                for method in ["GET", "HEAD", "PUT", "DELETE"] {
                    let answer = try await fixture.request(path, method: HTTPMethod(rawValue: method))
                    #expect(answer.status == 405, "\(method) \(path)")
                    #expect(answer.header("Allow") == "POST")
                }
            }
            let post = try await fixture.post("/internal/sync/jobs", "{}")
            #expect(post.status == 405)
            #expect(post.header("Allow") == "GET, HEAD")
            #expect(try await fixture.post("/internal/sync/other", "{}").status == 404)
            // The sidecar knows neither route.
            let document = try await fixture.request("/openapi.json").json
            let paths = try #require(document["paths"] as? [String: [String: Any]])
            #expect(paths[Self.execute]?.keys.sorted() == ["post"])
            #expect(paths["/health"]?.keys.sorted() == ["get"])
        }
    }

    @Test func theSidecarTakesNeither() async throws {
        try await StatusFixture.with { fixture in
            let id = try await fixture.insertJob()
            let start = try await fixture.post(Self.execute, #"{"user_id":"bob"}"#)
            #expect(start.status == 404)
            #expect(
                try start.json["detail"] as? String
                    == "This is sync-sidecar, which only reads; sync-intake takes starts and aborts"
            )
            #expect(try await fixture.post("/internal/sync/abort/\(id)", "").status == 404)
            let document = try await fixture.request("/openapi.json").text
            #expect(!document.contains("/internal/sync/execute"))
        }
    }

    @Test func largeBodiesAreNotRead() async throws {
        try await withIntake { fixture in
            let large = #"{"user_id":"bob","note":"\#(String(repeating: "x", count: 70_000))"}"#
            #expect(try await fixture.post(Self.execute, large).status == 413)
            let port = try fixture.port
            let chunked = try await wireRequest(port: port, "POST", Self.execute, body: large, isChunked: true)
            #expect(chunked.status == 413)
            let small = try await wireRequest(
                port: port,
                "POST",
                Self.execute,
                body: #"{"user_id":"bob"}"#,
                isChunked: true
            )
            #expect(small.status == 200)
            #expect(try await fixture.jobs.jobs(limit: 10).count == 1)
        }
    }

    @Test func aBodyThatDoesNotComeIsNotWaitedFor() async throws {
        try await withIntake { fixture in
            let began = ContinuousClock.now
            let answer = try await wireRequest(
                port: try fixture.port,
                "POST",
                Self.execute,
                headers: ["Content-Type": "application/json", "Content-Length": "100"]
            )
            #expect(answer.status == 408)
            #expect(answer.detail?.contains("did not arrive") == true)
            #expect(ContinuousClock.now - began < .seconds(10))
            #expect(try await fixture.request("/livez").status == 200)
        }
    }

    // MARK: The database

    /// The role that the file of roles makes starts and aborts, reads what is shown, and can do nothing else.
    @Test func aRoleThatInsertsAndCancels() async throws {
        let database = try TestDatabase.current
        let roles = try await database.runRolesFile()
        #expect(roles.exit == .code(0), "\(roles.transcript)")
        let limited = database.connectionString(of: "sync_intake")
        try await withIntake(["DATABASE_URL": limited]) { fixture in
            let start = try await fixture.post(Self.execute, #"{"user_id":"bob","full_sync":true}"#)
            #expect(start.status == 200, "\(start.text)")
            let id = try #require(try start.json["job_id"] as? String)
            for path in ["/internal/sync/status/\(id)", "/internal/sync/jobs", "/metrics", "/jobs/\(id)"] {
                #expect(try await fixture.request(path).status == 200, "\(path)")
            }
            #expect(try await fixture.post("/internal/sync/abort/\(id)", "").status == 200)
            #expect(try await fixture.request("/readyz").text.contains("[+]migrations ok"))
        }
        let connection = try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: limited),
            logger: .init(label: "test")
        )
        for statement: PostgresQuery in [
            "DELETE FROM sync_jobs", "UPDATE sync_jobs SET user_id = 'x'", "UPDATE sync_jobs SET lease = 1",
            "INSERT INTO sync_jobs (job_id, user_id, status, priority) VALUES (gen_random_uuid(), 'x', 'queued', -1)",
            "SELECT * FROM credentials", "SELECT * FROM sync_state", "UPDATE sync_logs SET message = ''",
            "DELETE FROM sync_logs", "SELECT sync_take_over(false)", "CREATE TABLE mine (a int)",
        ] {
            do {
                try await connection.execute(statement)
                Issue.record("not refused: \(statement)")
            } catch let error as PostgresError {
                #expect(error.sqlState == .insufficientPrivilege, "\(statement): \(error)")
            }
        }
        await connection.close()
    }

    /// Many callers at once are served in turn, none is refused.
    @Test func sixtyFourClients() async throws {
        try await withIntake { fixture in
            let longest = try await withThrowingTaskGroup(of: Duration.self) { group in
                for client in 0..<64 {
                    group.addTask {
                        var longest = Duration.zero
                        for _ in 0..<5 {
                            let began = ContinuousClock.now
                            let answer = try await fixture.post(Self.execute, #"{"user_id":"user-\#(client)"}"#)
                            #expect(answer.status == 200)
                            longest = max(longest, .now - began)
                        }
                        return longest
                    }
                }
                return try await group.reduce(.zero, max)
            }
            let count = try await fixture.database.pool.query("SELECT count(*) AS jobs FROM sync_jobs").first
            #expect(try count?.decode("jobs", as: Int.self) == 320)
            // Well under a second on an idle machine; the tests share two cores.
            #expect(longest < .seconds(4), "\(longest)")
        }
    }
}

extension StatusFixture {
    /// POSTs a body as the callers do.
    func post(_ path: String, _ body: String, _ headers: [String: String] = [:]) async throws -> Answer {
        var fields = HTTPHeaders()
        for (name, value) in ["Content-Type": "application/json"].merging(headers, uniquingKeysWith: { $1 }) {
            fields[name] = value
        }
        return try await request(path, method: .post, headers: fields, body: Array(body.utf8))
    }
}
