import CurlHTTP
import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

@Suite("Health", .migrated)
struct HealthRouteTests {
    private func dependencies(_ fixture: StatusFixture) async throws -> [String: String] {
        let began = ContinuousClock.now
        let answer = try await fixture.request("/health")
        #expect(ContinuousClock.now - began < .seconds(2))
        #expect(answer.status == 200)
        return try #require(try answer.json["dependencies"] as? [String: String])
    }

    @Test func allIsWell() async throws {
        try await StatusFixture.with { fixture in
            let answer = try await fixture.request("/health").json
            #expect(answer["status"] as? String == "healthy")
            #expect(answer["service"] as? String == "sync_service")
            #expect(
                answer["dependencies"] as? [String: String]
                    == ["database": "up", "keep_extractor": "up", "notion_writer": "up"]
            )
            let since = try #require(answer["since"] as? [String: String])
            // What has not changed is as old as it was.
            try await eventually(within: .seconds(10), "a second question to the peers") {
                let again = try await fixture.request("/health").json
                #expect(again["since"] as? [String: String] == since)
                return try await Self.healthCalls(fixture) >= 2
            }
        }
    }

    /// Whatever the traffic, the peers are asked now and then.
    @Test func peersAreAskedSeldom() async throws {
        try await StatusFixture.with { fixture in
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<200 { group.addTask { try await fixture.request("/health").status } }
                return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
            }
            #expect(statuses == [200])
            #expect(try await Self.healthCalls(fixture) <= 4)
        }
    }

    private static func healthCalls(_ fixture: StatusFixture) async throws -> Int {
        let writer = try #require(fixture.environment["NOTION_WRITER_URL"])
        let client = HTTPClient()
        let response = try await client.execute(HTTPRequest(url: writer + "/simulator/requests"))
        let report = try #require(try JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any])
        let extractor = try #require(report["extractor"] as? [String: Any])
        let routes = try #require(extractor["routes"] as? [String: [String: Int]])
        return routes["GET /health"]?.values.reduce(0, +) ?? 0
    }

    @Test func aPeerThatHangsIsDown() async throws {
        let plan = #"[{"peer":"extractor","operation":"health","fault":{"kind":"hang","seconds":60,"when":"before"}}]"#
        try await StatusFixture.with(peerArguments: ["--faults", plan]) { fixture in
            for _ in 0..<3 {
                let states = try await dependencies(fixture)
                #expect(states == ["database": "up", "keep_extractor": "down", "notion_writer": "up"])
            }
            let answer = try await fixture.request("/health").json
            #expect(answer["status"] as? String == "degraded")
        }
    }

    /// Everything is there but somebody who works: one verdict for programs and people.
    @Test func jobsOnWhichNobodyWorksAreNotHealthy() async throws {
        try await StatusFixture.with { fixture in
            func verdicts() async throws -> [String] {
                let status = try #require(try await fixture.request("/health").json["status"] as? String)
                let page = try await fixture.request("/", headers: ["Accept": "text/html"]).text
                return [status, page.contains("<title>Healthy") ? "healthy" : "degraded"]
            }
            #expect(try await verdicts() == ["healthy", "healthy"])
            try await fixture.storeCredentials()
            let job = try await fixture.insertJob()
            try await eventually(within: .seconds(15), "a verdict") {
                try await verdicts() == ["degraded", "degraded"]
            }
            #expect(try await dependencies(fixture).values.allSatisfy { $0 == "up" })
            let page = try await fixture.request("/", headers: ["Accept": "text/html"]).text
            #expect(page.contains("<strong>No worker is running; 1 job is due, the first since"), "\(page)")
            #expect(page.contains("Start one; if it ends at once, its log says why: <code>sync-worker</code>"))
            // Nobody is missed who would work on what is paused.
            let pauses = PauseList(pool: fixture.database.pool)
            for scope in [PauseScope.all, .user(UserID("anna@example.org"))] {
                _ = try await pauses.pause(scope, for: nil, reason: "r")
                try await eventually(within: .seconds(15), "health") { try await verdicts() == ["healthy", "healthy"] }
                _ = try await pauses.resume(scope)
                try await eventually(within: .seconds(15), "a verdict") {
                    try await verdicts() == ["degraded", "degraded"]
                }
            }
            try await fixture.withWorker { _ in
                try await fixture.waitForEnd(of: job)
                try await eventually(within: .seconds(15), "health") { try await verdicts() == ["healthy", "healthy"] }
            }
        }
    }

    @Test func aPeerThatEndsGoesDownAndIsSaidSinceWhen() async throws {
        try await StatusFixture.with { fixture in
            #expect(try await dependencies(fixture)["notion_writer"] == "up")
            await fixture.peers.kill()
            try await eventually(within: .seconds(15), "the peers shown as down") {
                try await dependencies(fixture)["notion_writer"] == "down"
            }
        }
    }

    @Test func readiness() async throws {
        try await StatusFixture.with { fixture in
            let without = try await fixture.request("/readyz?verbose")
            #expect(without.status == 503)
            #expect(
                without.text.contains(
                    "[+]database ok\n[+]migrations ok\n[-]worker failed: No worker is running. Start one"
                )
            )
            #expect(try await fixture.request("/livez").text == "ok")
            try await fixture.withWorker { _ in
                try await eventually(within: .seconds(10), "readiness") {
                    try await fixture.request("/readyz").status == 200
                }
                let ready =
                    "[+]database ok\n[+]migrations ok\n[+]worker ok\n[+]claims ok\n[+]notifications ok\nreadyz check passed\n"
                #expect(try await fixture.request("/readyz?verbose").text == ready)
            }
        }
    }

    /// A right that was taken away, a trigger of somebody else's: workers are there, and nothing is done.
    @Test func refusedClaimsAreSaidAndFailReadiness() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_workers (instance, worker, slots, version, claims_failing_since)
                VALUES (gen_random_uuid(), 'w', 1, '1', '2026-01-02 03:04:05Z')
                """
            )
            let id = try await fixture.insertJob()
            let answer = try await fixture.request("/readyz")
            let words =
                "[-]claims failed: No worker gets a job since 2026-01-02 03:04 UTC: the database refuses their claims or results."
            #expect(answer.status == 503 && answer.text.contains(words), "\(answer.text)")
            try await eventually(within: .seconds(15), "a verdict") {
                try await fixture.request("/health").json["status"] as? String == "degraded"
            }
            let page = try await fixture.request("/jobs/\(id)", headers: ["Accept": "text/html"]).text
            #expect(
                page.contains("a worker that can claim jobs: the database refuses the claims or results of all since")
            )
            #expect(try await fixture.request("/", headers: ["Accept": "text/html"]).text.contains("claims fail since"))
            // One that claims is enough.
            try await fixture.database.pool.execute(
                "INSERT INTO sync_workers (instance, worker, slots, version) VALUES (gen_random_uuid(), 'v', 1, '1')"
            )
            #expect(try await fixture.request("/readyz").status == 200)
        }
    }

    /// A job waits for its only worker, whose claims are held: the service is ready, and does no work.
    @Test func heldClaimsAreSaidAndFailNothing() async throws {
        try await StatusFixture.with { fixture in
            func health() async throws -> String? { try await fixture.request("/health").json["status"] as? String }
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_workers (instance, worker, slots, version, claims_held_since)
                VALUES (gen_random_uuid(), 'w', 1, '1', '2026-01-02 03:04:05Z')
                """
            )
            try await fixture.database.pool.execute(
                "INSERT INTO sync_gates (gate, failures, failed_at) VALUES ('notion_writer', 1, now())"
            )
            let answer = try await fixture.request("/readyz")
            #expect(answer.status == 200)
            let words =
                "[!]claims failed: No worker claims jobs since 2026-01-02 03:04 UTC, as they do not reach the Notion Writer, or another "
                + "worker is to find out whether it is back."
            #expect(answer.text.contains(words) && answer.text.hasSuffix("readyz check passed\n"), "\(answer.text)")
            #expect(try await health() == "healthy", "nothing is due")
            _ = try await fixture.insertJob()
            try await eventually(within: .seconds(15), "a verdict") { try await health() == "degraded" }
            let page = try await fixture.request("/", headers: ["Accept": "text/html"]).text
            #expect(page.contains("<strong>No worker claims jobs since 2026-01-02 03:04 UTC"), "\(page)")
            // One that claims is enough.
            try await fixture.database.pool.execute(
                "INSERT INTO sync_workers (instance, worker, slots, version) VALUES (gen_random_uuid(), 'v', 1, '1')"
            )
            try await eventually(within: .seconds(15), "health") { try await health() == "healthy" }
            #expect(try await fixture.request("/readyz").text == "ok")
        }
    }

    /// The worker does its work all the same, and the intake must go on to take jobs.
    @Test func aDeafWorkerIsSaidAndStopsNothing() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.database.pool.execute(
                """
                INSERT INTO sync_workers (instance, worker, slots, version, listening)
                VALUES (gen_random_uuid(), 'w', 1, '1', false), (gen_random_uuid(), 'p', 1, '1', NULL)
                """
            )
            let answer = try await fixture.request("/readyz?verbose")
            #expect(answer.status == 200)
            #expect(answer.text.contains("[!]notifications failed: w: LISTEN can't be had"))
            #expect(try await fixture.request("/metrics").text.contains("sync_workers_deaf 1"))
            try await fixture.withWorker { _ in
                try await fixture.database.pool.execute("DELETE FROM sync_workers WHERE worker = 'w'")
                try await eventually(within: .seconds(10), "a worker that hears") {
                    try await fixture.request("/readyz?verbose").text.contains("[+]notifications ok")
                }
            }
        }
    }
}

@Suite("The database in trouble")
struct DatabaseTroubleTests {
    @Test func stoppedInTheMiddle() async throws {
        let cluster = try await PrivateCluster.start()
        let database = try await cluster.createDatabase(migrations: SyncSchema.migrations)
        let fixture = try await StatusFixture.start(database)
        let id = try await fixture.insertJob()
        #expect(try await fixture.request("/internal/sync/status/\(id)").status == 200)
        try await cluster.stop(mode: .immediate)
        for path in ["/internal/sync/status/\(id)", "/internal/sync/jobs", "/metrics"] {
            let answer = try await fixture.request(path)
            #expect(answer.status == 503, "\(path)")
            #expect(try answer.json["detail"] is String)
        }
        try await eventually(within: .seconds(10), "the database shown as down") {
            let answer = try await fixture.request("/health")
            #expect(answer.status == 200)
            return (try answer.json["dependencies"] as? [String: String])?["database"] == "down"
        }
        #expect(try await fixture.request("/livez").status == 200)
        let ready = try await fixture.request("/readyz")
        #expect(ready.status == 503)
        #expect(ready.text.contains("[-]database failed"))
        for word in ["127.0.0.1", "/tmp", "socket", "user", "postgres", "port"] {
            #expect(!ready.text.contains(word), "\(ready.text)")
        }
        try await eventually("the word in the log") { fixture.server.transcript.contains("Not ready.") }
        let page = try await fixture.request("/", headers: ["Accept": "text/html"])
        #expect(page.status == 503)
        #expect(page.text.contains("The database cannot be reached"))
        try await cluster.start()
        try await eventually(within: .seconds(20), "answers again") {
            try await fixture.request("/internal/sync/status/\(id)").status == 200
        }
        await fixture.stop()
        try await cluster.remove()
    }

    /// No waiting helps: it ends before it listens, with one message.
    @Test(arguments: ["sync-sidecar", "sync-intake"])
    func tablesThatAreTooNew(program: String) async throws {
        let database = try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
        try await database.pool.execute(
            "INSERT INTO sync_schema_migrations (version, name, checksum, compatible_from) VALUES (99, 'future', 'x', 99)"
        )
        let run = try ProgramRun.start(
            program,
            environment: ["DATABASE_URL": database.connectionString, "SYNC_SERVICE_PORT": "\(try freePort())"]
        )
        #expect(try await run.waitForExit() == .code(78), "\(run.transcript)")
        #expect(run.standardOutput.isEmpty, "\(run.transcript)")
        #expect(run.standardError.count == 1 && run.standardError[0].contains("0099_future.sql"), "\(run.transcript)")
        try await database.drop()
    }

    @Test func tablesThatAreMissing() async throws {
        let database = try await PrivateCluster.shared().createDatabase()
        let fixture = try await StatusFixture.start(database)
        let ready = try await fixture.request("/readyz")
        #expect(ready.status == 503)
        #expect(ready.text.contains("[-]migrations failed") && ready.text.contains("syncctl migrate"))
        for path in ["/internal/sync/status/\(JobID())", "/internal/sync/jobs", "/metrics"] {
            let answer = try await fixture.request(path)
            #expect(answer.status == 503, "\(path)")
            #expect((try answer.json["detail"] as? String)?.contains("syncctl migrate") == true, "\(path)")
        }
        // What is wrong is said in the words of this program, and not that it is ready.
        let log = fixture.server.transcript
        #expect(log.contains("The tables of the database are not those of this program"), "\(log)")
        #expect(!log.contains("Ready.") && !log.contains("does not exist"), "\(log)")
        await fixture.stop()
        try await database.drop()
    }
}
