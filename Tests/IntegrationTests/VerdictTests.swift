import CurlHTTP
import Fernet
import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

/// `syncctl doctor` and the sidecar's page, beside real workers.
private struct Standing {
    struct Doctor: Decodable {
        struct Check: Decodable {
            var check: String
            var outcome: String
            var code: String?
            var sentence: String
            var command: String?
        }

        var verdict: String
        var outcome: String
        var checks: [Check]
    }

    let installation: Installation
    let sidecar: String
    private let http = HTTPClient()

    init(_ installation: Installation) async throws {
        self.installation = installation
        sidecar = try await installation.startServer("sync-sidecar", "sidecar", [:])
    }

    private func environment(_ changes: [String: String]) -> [String: String] {
        [
            "DATABASE_URL": installation.database.connectionString, "LOG_LEVEL": "", "SYNC_STATE_DIR": "",
            "AWS_ENCRYPTION_KEY": installation.key.base64, "KEEP_EXTRACTOR_URL": installation.peers.keepURL,
            "NOTION_WRITER_URL": installation.peers.writerURL, "no_proxy": "127.0.0.1",
        ].merging(changes) { $1 }
    }

    func doctor(_ changes: [String: String] = [:]) async throws -> Doctor {
        let run = try ProgramRun.start("syncctl", ["doctor", "--json"], environment: environment(changes))
        run.closeInput()
        try await run.waitForExit()
        let answer = try JSONDecoder().decode(Doctor.self, from: Data(run.standardOutput.joined(separator: "\n").utf8))
        let isWrong = answer.checks.contains { $0.outcome == "wrong" }
        #expect(run.exit == .code(isWrong ? 1 : 0), "\(run.transcript)")
        return answer
    }

    /// The check with a code, once the doctor finds it.
    func finding(_ code: String, within limit: Duration = .seconds(40)) async throws -> Doctor.Check {
        var found: Doctor.Check?
        try await eventually(within: limit, "the finding \(code)") {
            found = try await doctor().checks.first { $0.code == code }
            return found != nil
        }
        return try #require(found)
    }

    func page() async throws -> String {
        let request = HTTPRequest(
            url: sidecar + "/",
            headers: ["Accept": "text/html"],
            timeout: .seconds(10),
            maximumResponseBytes: 8 << 20
        )
        return String(decoding: try await http.execute(request).body, as: UTF8.self)
    }

    /// Waits until the first line of the page has a text.
    func waitForPage(_ text: String) async throws {
        var line = ""
        try await eventually(within: .seconds(20), "\"\(text)\" in the page's first line") {
            let page = try await page()
            line = page.firstMatch(of: /<section id="verdict"[\s\S]*?<\/p>/).map { String($0.output) } ?? page
            return line.contains(text)
        }
    }

    /// Runs what a tool names in a shell, with the built programs in its path.
    func paste(_ command: String, input: String = "") async throws -> ProgramRun {
        let folder = (ProgramRun.path(of: "syncctl") as NSString).deletingLastPathComponent
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let run = try ProgramRun(
            executable: "/bin/sh",
            ["-c", command],
            environment: environment(["PATH": "\(folder):\(path)"])
        )
        try run.write(input)
        run.closeInput()
        try await run.waitForExit()
        return run
    }
}

extension IntegrationTests {
    /// The same situation is said by the doctor and in the page's first line, and the command that is named mends it.
    @Suite struct VerdictTests {
        @Test func aStoppedWorkerAndNoOther() async throws {
            try await Installation.with(notes: 40, simulator: ["--idempotency", "honour"]) { installation in
                let standing = try await Standing(installation)
                try await installation.addUser("ada")
                try await installation.peers.setLatency(.milliseconds(200))
                let worker = try await installation.startWorker("first")
                let job = try await installation.insertJob("ada")
                try await installation.waitForWrites(6)
                try await standing.waitForPage("<strong>All is well; 0 jobs completed in the last hour; 1 runs.")
                #expect(try await standing.doctor().outcome == "warning", "as nobody is told of anything")
                worker.send(signal: SIGSTOP)
                let none = try await standing.finding("no_worker")
                #expect(none.outcome == "wrong" && none.command == "sync-worker", "\(none)")
                #expect(none.sentence.contains("1 job was begun. The last, first, was heard of at"), "\(none)")
                try await standing.waitForPage("<strong>No worker is running; 1 job was begun")
                try await installation.peers.setLatency(.zero)
                try await installation.startWorker("second")
                #expect(try await installation.waitForJob(job).status == .completed)
                let silent = try await standing.finding("worker_silent")
                #expect(
                    silent.outcome == "warning" && silent.sentence.contains("1 worker has stopped answering: first")
                )
                try await standing.waitForPage("<strong>1 worker has stopped answering: first")
                worker.send(signal: SIGCONT)
                try await standing.waitForPage("<strong>All is well; 1 job completed in the last hour")
            }
        }

        @Test func noWorkerAndTheWrongKey() async throws {
            try await Installation.with(notes: 2) { installation in
                let standing = try await Standing(installation)
                try await installation.addUser("ada")
                let first = try await installation.startWorker("first")
                try await installation.waitForJob(try await installation.insertJob("ada"))
                try await first.stop(within: .seconds(5))
                let job = try await installation.insertJob("ada")
                let wrong = ["AWS_ENCRYPTION_KEY": try FernetKey.generate().base64]
                #expect(try await installation.launchWorker("wrong", wrong).waitForExit() == .code(78))
                let doctor = try await standing.doctor(wrong)
                let key = try #require(doctor.checks.first { $0.check == "key" })
                #expect(key.outcome == "wrong" && key.command == "AWS_ENCRYPTION_KEY=KEY sync-worker", "\(key)")
                #expect(doctor.checks.contains { $0.code == "no_worker" && $0.outcome == "wrong" }, "\(doctor)")
                try await standing.waitForPage("<strong>No worker is running; 1 job is due, the first since")
                try await installation.startWorker("right")
                #expect(try await installation.waitForJob(job).status == .completed)
                let mended = try await standing.doctor()
                #expect(mended.checks.first { $0.check == "key" }?.outcome == "ok", "\(mended)")
                try await standing.waitForPage("<strong>All is well; 2 jobs completed in the last hour")
            }
        }

        @Test func allSlotsAreTaken() async throws {
            try await Installation.with(notes: 30) { installation in
                let standing = try await Standing(installation)
                for user in ["ada", "bob"] { try await installation.addUser(user, notionToken: "ntn_\(user)") }
                try await installation.peers.setLatency(.milliseconds(300))
                try await installation.startWorker("first", ["SYNC_WORKER_CONCURRENCY": "1"])
                let running = try await installation.insertJob("ada")
                try await installation.waitForJob(running, "the start") { $0.status == .running }
                let waiting = try await installation.insertJob("bob")
                let full = try await standing.finding("slots_full")
                #expect(full.sentence.hasPrefix("All 1 slot of 1 worker are taken; 1 job is due"), "\(full)")
                try await standing.waitForPage("<strong>All 1 slot of 1 worker are taken; 1 job is due")
                #expect(full.command == "sync-worker")
                try await installation.startWorker("second")
                try await installation.peers.setLatency(.zero)
                for job in [running, waiting] { #expect(try await installation.waitForJob(job).status == .completed) }
                try await standing.waitForPage("<strong>All is well; 2 jobs completed in the last hour")
            }
        }

        @Test func credentialsAreMissing() async throws {
            try await Installation.with(notes: 2) { installation in
                let standing = try await Standing(installation)
                try await installation.startWorker("worker")
                let job = try await installation.insertJob("ada@example.org")
                #expect(try await installation.waitForJob(job).status == .failed)
                let failed = try await standing.finding("jobs_failed")
                #expect(failed.sentence.contains("no credentials for user ada@example.org"), "\(failed)")
                #expect(failed.command == "syncctl why \(job)")
                try await standing.waitForPage("<strong>The last job of user ad…@example.org failed at ")
                let why = try await standing.paste("syncctl why \(job) --json")
                let command =
                    try #require(
                        try JSONSerialization.jsonObject(with: Data(why.standardOutput.joined().utf8)) as? [String: Any]
                    )["command"] as? String
                let pasted = try await standing.paste(try #require(command), input: "google-token\nntn_token\n")
                #expect(pasted.exit == .code(0), "\(pasted.transcript)")
                #expect(try await installation.waitForJob(job) { $0.status == .completed }.processedNotes == 2)
                try await standing.waitForPage("<strong>All is well; 1 job completed in the last hour, 1 failed.")
            }
        }

        @Test func notionAnswers503() async throws {
            let settings = [
                "SYNC_BREAKER_FAILURES": "3", "SYNC_BREAKER_COOLDOWN": "1s", "SYNC_BREAKER_COOLDOWN_CAP": "4s",
                "SYNC_JOB_BACKOFF_BASE": "2s", "SYNC_JOB_BACKOFF_CAP": "5s", "SYNC_UNKNOWN_COOLDOWN": "2s",
            ]
            try await Installation.with(notes: 2) { installation in
                let standing = try await Standing(installation)
                try await installation.peers.setFaults(
                    #"{"peer":"writer","operation":"create","fault":{"kind":"status","code":503}}"#
                )
                for number in 1...4 { try await installation.addUser("user-\(number)", notionToken: "ntn_\(number)") }
                for number in 1...2 { try await installation.startWorker("worker-\(number)", settings) }
                var jobs: [JobID] = []
                for number in 1...4 { jobs.append(try await installation.insertJob("user-\(number)")) }
                let broken = try await standing.finding("peer_out_of_order", within: .seconds(60))
                // In the words of the worker that opened it: of the last answer, or of what all of them mean.
                let words = ["503", "does not get through to Notion"]
                #expect(broken.outcome == "wrong" && words.contains { broken.sentence.contains($0) }, "\(broken)")
                #expect(broken.sentence.hasPrefix("The Notion Writer is out of order since "), "\(broken)")
                try await standing.waitForPage("<strong>The Notion Writer is out of order since ")
                try await installation.peers.setFaults("")
                let pasted = try await standing.paste(try #require(broken.command))
                #expect(pasted.exit == .code(0), "\(pasted.transcript)")
                for job in jobs { #expect(try await installation.waitForJob(job).status == .completed) }
                // A note may be held by now, which is another matter.
                try await eventually(within: .seconds(20), "a page without the outage") {
                    try await !standing.page().contains("out of order")
                }
            }
        }

        /// What the role may not see is said, and nothing fails for it.
        @Test func asTheOperator() async throws {
            try await TestDatabase.withRoles { database in
                let environment = [
                    "DATABASE_URL": database.connectionString(of: "sync_operator"), "SYNC_STATE_DIR": "",
                    "AWS_ENCRYPTION_KEY": try FernetKey.generate().base64, "LOG_LEVEL": "",
                ]
                func doctor(_ changes: [String: String] = [:]) async throws -> Standing.Doctor {
                    let run = try ProgramRun.start(
                        "syncctl",
                        ["doctor", "--json"],
                        environment: environment.merging(changes) { $1 }
                    )
                    run.closeInput()
                    try await run.waitForExit()
                    let text = run.standardOutput.joined(separator: "\n")
                    return try JSONDecoder().decode(Standing.Doctor.self, from: Data(text.utf8))
                }
                let answer = try await doctor()
                let unseen = answer.checks.filter { $0.outcome == "not_checked" }.map(\.check)
                #expect(Set(unseen) == ["oldest_transaction", "key", "peers"], "\(answer)")
                let roles = try #require(answer.checks.first { $0.check == "roles" })
                #expect(
                    roles.outcome == "warning" && roles.sentence.hasPrefix("PUBLIC has CONNECT and TEMP"),
                    "\(roles)"
                )
                try await database.runAsSuperuser("REVOKE UPDATE (lease) ON sync_jobs FROM sync_worker")
                let lacking = try #require(try await doctor().checks.first { $0.check == "roles" })
                #expect(lacking.sentence == "The role sync_worker lacks UPDATE sync_jobs.lease", "\(lacking)")
                let run = try await database.runRolesFile("revoke_public=yes", as: TestDatabase.administrator)
                #expect(run.exit == .code(0), "\(run.transcript)")
                #expect(try await doctor().checks.first { $0.check == "roles" }?.outcome == "ok")
                // Roles belong to the whole server, and need not be those of every database on it.
                let other = try await database.cluster.createDatabase(migrations: SyncSchema.migrations)
                let elsewhere = try await doctor(["DATABASE_URL": other.connectionString])
                #expect(elsewhere.checks.first { $0.check == "roles" }?.outcome == "not_checked", "\(elsewhere)")
                await other.pool.shutdown()
            }
        }
    }
}
