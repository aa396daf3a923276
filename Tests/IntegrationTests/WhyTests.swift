import Fernet
import Foundation
import JobQueue
import TestSupport
import Testing

extension IntegrationTests {
    /// What `syncctl why` says of the jobs of real workers, and that the command which it names mends it.
    @Suite struct WhyTests {
        private struct Answer: Decodable {
            struct Blocker: Decodable {
                var kind: String
                var jobId: String?
                var worker: String?
                var gate: String?
            }

            struct Reason: Decodable {
                var reason: String
            }

            var reason: String
            var sentence: String
            var until: String?
            var blocker: Blocker?
            var command: String?
            var also: [Reason]
        }

        private static func syncctl(
            _ installation: Installation,
            _ arguments: [String],
            key: FernetKey? = nil
        ) async throws -> ProgramRun {
            let run = try ProgramRun.start("syncctl", arguments, environment: environment(installation, key: key))
            run.closeInput()
            try await run.waitForExit()
            return run
        }

        private static func environment(_ installation: Installation, key: FernetKey? = nil) -> [String: String] {
            [
                "DATABASE_URL": installation.database.connectionString, "LOG_LEVEL": "",
                "AWS_ENCRYPTION_KEY": (key ?? installation.key).base64,
            ]
        }

        private static func why(_ id: JobID, _ installation: Installation, key: FernetKey? = nil) async throws -> Answer
        {
            let run = try await syncctl(installation, ["why", "\(id)", "--json"], key: key)
            #expect(run.exit == .code(0), "\(run.transcript)")
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Answer.self, from: Data(run.standardOutput.joined(separator: "\n").utf8))
        }

        /// What it says once it gives this reason.
        private static func why(_ id: JobID, says reason: String, _ installation: Installation) async throws -> Answer {
            var answer: Answer?
            try await eventually(within: .seconds(40), "the reason \(reason)") {
                answer = try await why(id, installation)
                return answer?.reason == reason
            }
            return try #require(answer)
        }

        @Test("A job behind a running one, and a worker that is stopped in the middle of it")
        func runningAndStopped() async throws {
            let notes = 60
            try await Installation.with(notes: notes, simulator: ["--idempotency", "honour"]) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setLatency(.milliseconds(200))
                let worker = try await installation.startWorker("first")
                let job = try await installation.insertJob("ada")
                try await installation.waitForWrites(12)
                let next = try await installation.insertJob("ada")
                try await installation.waitForJob(job, "progress") { $0.processedNotes > 0 }
                let running = try await Self.why(job, installation)
                #expect(running.reason == "running" && running.until != nil && running.command == nil, "\(running)")
                #expect(running.sentence.contains("runs on first since"), "\(running)")
                #expect(running.sentence.contains("of \(notes) notes settled; last progress"), "\(running)")
                let behind = try await Self.why(next, says: "behind_running_job", installation)
                #expect(behind.blocker?.jobId == "\(job)" && behind.blocker?.worker == "first", "\(behind)")
                #expect(behind.command == "syncctl cancel \(job)")

                worker.send(signal: SIGSTOP)
                let lost = try await Self.why(job, says: "worker_lost", installation)
                #expect(lost.command == "sync-worker" && lost.blocker?.worker == "first", "\(lost)")
                let waiting = try await Self.why(next, installation)
                #expect(
                    waiting.reason == "behind_running_job" && waiting.also.first?.reason == "worker_lost",
                    "\(waiting)"
                )

                // The command.
                try await installation.peers.setLatency(.zero)
                try await installation.startWorker("second")
                for id in [job, next] {
                    #expect(try await installation.waitForJob(id).status == .completed)
                    #expect(try await Self.why(id, installation).reason == "completed")
                }
            }
        }

        @Test func noWorkerAndTheWrongKey() async throws {
            try await Installation.with(notes: 2) { installation in
                try await installation.addUser("ada")
                // It makes the installation key.
                let first = try await installation.startWorker("first")
                try await installation.waitForJob(try await installation.insertJob("ada"))
                try await first.stop(within: .seconds(5))
                let job = try await installation.insertJob("ada")
                let none = try await Self.why(job, installation)
                #expect(none.reason == "no_worker" && none.command == "sync-worker", "\(none)")

                let wrong = try FernetKey.generate()
                let ended = try installation.launchWorker("wrong", ["AWS_ENCRYPTION_KEY": wrong.base64])
                #expect(try await ended.waitForExit() == .code(78))
                let why = try await Self.why(job, installation, key: wrong)
                #expect(why.reason == "wrong_key" && why.command == "AWS_ENCRYPTION_KEY=KEY sync-worker", "\(why)")
                // The command, with the key that is in use.
                try await installation.startWorker("right")
                #expect(try await installation.waitForJob(job).status == .completed)
            }
        }

        @Test func allSlotsAreTaken() async throws {
            try await Installation.with(notes: 30) { installation in
                for user in ["ada", "bob"] { try await installation.addUser(user, notionToken: "ntn_\(user)") }
                try await installation.peers.setLatency(.milliseconds(300))
                try await installation.startWorker("first", ["SYNC_WORKER_CONCURRENCY": "1"])
                let running = try await installation.insertJob("ada")
                try await installation.waitForJob(running, "the start") { $0.status == .running }
                let waiting = try await installation.insertJob("bob")
                let full = try await Self.why(waiting, says: "workers_full", installation)
                #expect(full.sentence.contains("1 job runs in the 1 slot of 1 worker. It is the next."), "\(full)")
                #expect(full.command == "sync-worker")
                try await installation.peers.setLatency(.zero)
                try await installation.startWorker("second")
                #expect(try await installation.waitForJob(waiting).status == .completed)
            }
        }

        @Test func credentialsAreMissing() async throws {
            try await Installation.with(notes: 2) { installation in
                try await installation.startWorker("worker")
                let job = try await installation.insertJob("ada")
                #expect(try await installation.waitForJob(job).status == .failed)
                let why = try await Self.why(job, installation)
                #expect(why.reason == "credentials_missing" && why.also.map(\.reason) == ["failed"], "\(why)")
                let command = try #require(why.command)
                #expect(command == "syncctl credentials set ada --database-id ID && syncctl retry \(job)")
                let folder = (ProgramRun.path(of: "syncctl") as NSString).deletingLastPathComponent
                let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
                let pasted = try ProgramRun(
                    executable: "/bin/sh",
                    ["-c", command],
                    environment: Self.environment(installation).merging(["PATH": "\(folder):\(path)"]) { $1 }
                )
                try pasted.write("google-token\nntn_token\n")
                pasted.closeInput()
                #expect(try await pasted.waitForExit() == .code(0), "\(pasted.transcript)")
                #expect(try await installation.waitForJob(job) { $0.status == .completed }.processedNotes == 2)
            }
        }

        @Test func notionAnswers503() async throws {
            let settings = [
                "SYNC_BREAKER_FAILURES": "3", "SYNC_BREAKER_COOLDOWN": "1s", "SYNC_BREAKER_COOLDOWN_CAP": "4s",
                "SYNC_JOB_BACKOFF_BASE": "2s", "SYNC_JOB_BACKOFF_CAP": "5s", "SYNC_UNKNOWN_COOLDOWN": "2s",
            ]
            try await Installation.with(notes: 2) { installation in
                try await installation.peers.setFaults(
                    #"{"peer":"writer","operation":"create","fault":{"kind":"status","code":503}}"#
                )
                for number in 1...4 { try await installation.addUser("user-\(number)", notionToken: "ntn_\(number)") }
                for number in 1...2 { try await installation.startWorker("worker-\(number)", settings) }
                var jobs: [JobID] = []
                for number in 1...4 { jobs.append(try await installation.insertJob("user-\(number)")) }
                var answer: Answer?
                try await eventually(within: .seconds(60), "the word of the breaker") {
                    for job in jobs where answer?.reason != "breaker_open" {
                        answer = try await Self.why(job, installation)
                    }
                    return answer?.reason == "breaker_open"
                }
                #expect(answer?.blocker?.gate == "notion_writer", "\(String(describing: answer))")
                try await installation.peers.setFaults("")
                let run = try await Self.syncctl(installation, ["gates", "open", "notion_writer"])
                #expect(
                    run.exit == .code(0) && answer?.command == "syncctl gates open notion_writer",
                    "\(run.transcript)"
                )
                for job in jobs { #expect(try await installation.waitForJob(job).status == .completed) }
            }
        }

        @Test func theEndOfAJobWhoseNotesFailed() async throws {
            try await Installation.with(notes: 3) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setFaults(
                    #"{"peer":"writer","operation":"create","times":1,"fault":{"kind":"status","code":422}}"#
                )
                try await installation.startWorker("worker")
                let run = try await Self.syncctl(installation, ["enqueue", "ada", "--wait"])
                #expect(run.exit == .code(3), "\(run.transcript)")
                let user = try await Self.syncctl(installation, ["user", "ada"])
                let text = user.standardOutput.joined(separator: "\n")
                #expect(user.exit == .code(0) && text.contains("1 note could not be written"), "\(text)")
            }
        }
    }
}
