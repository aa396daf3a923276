import CurlHTTP
import Foundation
import JobQueue
import Logging
import Postgres
import TestSupport
import Testing

@Suite("The server", .migrated)
struct ServerTests {
    @Test func rootForProgramsAndPeople() async throws {
        try await StatusFixture.with { fixture in
            let program = try await fixture.request("/")
            let json = try program.json
            #expect(Set(json.keys) == ["service", "version", "status"])
            #expect(json["service"] as? String == "sync_service")
            let browser = try await fixture.request(
                "/",
                headers: ["Accept": "text/html,application/xhtml+xml,*/*;q=0.8"]
            )
            #expect(browser.header("Content-Type") == "text/html; charset=utf-8")
            #expect(browser.header("Content-Security-Policy")?.hasPrefix("default-src 'none'") == true)
            for asset in ["/assets/page.css", "/assets/page.js", "/openapi.json"] {
                #expect(try await fixture.request(asset).status == 200)
            }
            _ = try await fixture.request("/openapi.json").json
        }
    }

    @Test func limits() async throws {
        try await StatusFixture.with { fixture in
            let large = try await fixture.request("/health", body: [UInt8](repeating: 0x20, count: 100_000))
            #expect(large.status == 413)
            // Refused, or the connection is closed at once: either is right.
            let long = try? await fixture.request("/health", headers: ["X-Long": String(repeating: "x", count: 40_000)])
            #expect(long == nil || (400..<500).contains(long?.status ?? 0))
            let small = try await fixture.request("/health", body: [0x20])
            #expect(small.status == 200)
        }
    }

    /// Nobody is connected whose next call could be lost.
    @Test func theIntakeStopsAtOnceWhenNobodyIsConnected() async throws {
        try await StatusFixture.with(program: "sync-intake") { fixture in
            fixture.server.send(signal: SIGTERM)
            let began = ContinuousClock.now
            let exit = try await fixture.server.waitForExit()
            #expect(exit == .code(0))
            #expect(began.duration(to: .now) < .seconds(1), "\(began.duration(to: .now))")
        }
    }

    @Test func stopsCleanly() async throws {
        try await StatusFixture.with { fixture in
            let before = try await fixture.request("/livez")
            #expect(before.status == 200)
            fixture.server.send(signal: SIGTERM)
            let exit = try await fixture.server.waitForExit(within: .seconds(10))
            #expect(exit == .code(0))
        }
    }

    @Test func aTakenPortIsSaid() async throws {
        try await StatusFixture.with { fixture in
            let environment = fixture.environment.merging(["SYNC_SERVICE_PORT": "\(try fixture.port)"]) { $1 }
            try await withProgram("sync-sidecar", environment: environment) { second in
                let exit = try await second.waitForExit()
                #expect(exit == .code(69))
                #expect(second.transcript.contains("SYNC_SERVICE_PORT"))
            }
        }
    }

    /// Role and file are named, whether the role may read nothing at all or only cannot do what the program is for.
    @Test(arguments: [
        ("sync-sidecar", "sync_gateway"), ("sync-intake", "sync_worker"), ("sync-intake", "nobody_there"),
    ])
    func aRoleWithoutRightsIsNamedAtTheStart(program: String, role: String) async throws {
        let database = try TestDatabase.current
        let roles = try await database.runRolesFile()
        #expect(roles.exit == .code(0), "\(roles.transcript)")
        let port = try freePort()
        let environment = ["DATABASE_URL": database.connectionString(of: role), "SYNC_SERVICE_PORT": "\(port)"]
        try await withProgram(program, environment: environment) { run in
            let line = try await run.waitForLine(containing: "deploy/roles.sql")
            #expect(line.contains("WARN") && line.contains(role), "\(line)")
            #expect(line.contains(program) && line.contains(program.replacing("-", with: "_")), "\(line)")
            #expect(line.contains("answered with 503"))
            try await run.waitForLine(containing: "Listening; not ready")
        }
    }

    /// The role that the file of roles makes reads all that is shown and cannot write.
    @Test func aRoleThatOnlyReads() async throws {
        let database = try TestDatabase.current
        let roles = try await database.runRolesFile()
        #expect(roles.exit == .code(0), "\(roles.transcript)")
        let limited = database.connectionString(of: "sync_sidecar")
        try await StatusFixture.with(["DATABASE_URL": limited]) { fixture in
            let id = try await fixture.insertJob()
            #expect(try await fixture.request("/internal/sync/status/\(id)").status == 200)
            for path in ["/internal/sync/jobs", "/metrics", "/jobs/\(id)"] {
                #expect(try await fixture.request(path).status == 200, "\(path)")
            }
            #expect(try await fixture.request("/", headers: ["Accept": "text/html"]).status == 200)
            #expect(try await fixture.request("/readyz").text.contains("[+]migrations ok"))
        }
        let reader = try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: limited),
            logger: .init(label: "test")
        )
        for statement: PostgresQuery in [
            "DELETE FROM sync_jobs", "UPDATE sync_workers SET slots = 0", "SELECT * FROM credentials",
            "SET default_transaction_read_only = off; DELETE FROM sync_jobs",
        ] {
            await #expect(throws: PostgresError.self) { try await reader.execute(statement) }
        }
        await reader.close()
    }
}
