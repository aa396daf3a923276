import Fernet
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// A worker that may open few files, and so few connections.
    @Suite struct OpenFilesTests {
        private func start(
            _ installation: Installation,
            users: [String],
            notes concurrency: String,
            openFiles: String? = nil
        ) async throws -> ProgramRun {
            for user in users { try await installation.addUser(user) }
            try await installation.peers.setLatency(.milliseconds(100))
            let worker = try installation.launchWorker(
                "worker",
                ["SYNC_WORKER_CONCURRENCY": "8", "SYNC_NOTE_CONCURRENCY": concurrency],
                openFiles: openFiles
            )
            try await worker.waitForLine(containing: "Ready.")
            return worker
        }

        private func expectAllDone(_ installation: Installation, users: [String], within limit: Duration) async throws {
            try await installation.waitForAllJobs(within: limit)
            let jobs = try await installation.count(
                "SELECT count(*) FROM sync_jobs WHERE status = 'completed' AND failed_notes = 0 AND attempt = 1"
            )
            #expect(jobs == users.count)
            for user in users { #expect(try await installation.peers.pages(of: user).count == 10) }
        }

        /// With the least that it starts with it does less at once, and none of that is put off.
        @Test func aWorkerDoesNoMoreAtOnceThanItsLimitAllows() async throws {
            try await Installation.with(notes: 10) { installation in
                let users = ["ada", "bob", "cyd"]
                let worker = try await start(installation, users: users, notes: "16", openFiles: "-n 48")
                let warning = try await worker.waitForLine(containing: "limit of open files is lower")
                #expect(warning.contains("48") && warning.contains("1 job and 1 note at once on 4"), "\(warning)")
                for user in users { try await installation.insertJob(user) }
                try await expectAllDone(installation, users: users, within: .seconds(30))
                #expect(!worker.transcript.contains("is reached"), "\(worker.transcript)")
                try await worker.stop()
            }
        }

        /// Which would wait for threads without end, and hear no signal.
        /// The limit of a user's processes holds for everybody but root.
        @Test(.enabled(if: getuid() == 0, "as root, who can become a user without processes"))
        func aWorkerThatMayHaveTooFewThreadsSaysSo() async throws {
            let folder = FileManager.default.temporaryDirectory.appending(path: "threads-\(UUID())")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
            let program = folder.appending(path: "sync-worker").path
            try FileManager.default.copyItem(atPath: ProgramRun.path(of: "sync-worker"), toPath: program)
            let worker = try ProgramRun(
                executable: "/usr/bin/setpriv",
                [
                    "--reuid=54321", "--regid=54321", "--clear-groups", "/bin/bash", "-c",
                    "ulimit -u 10 && exec '\(program)'",
                ],
                environment: [:]
            )
            #expect(try await worker.waitForExit(within: .seconds(20)) == .code(78))
            #expect(worker.transcript.contains("needs 16 threads"), "\(worker.transcript)")
        }

        @Test func jobsThatFindNoneLeftArePutOffAndSpendNoAttempt() async throws {
            try await Installation.with(notes: 10) { installation in
                let users = ["ada", "bob"]
                let worker = try await start(installation, users: users, notes: "4")
                try await setLimit("8:", of: worker)
                for user in users { try await installation.insertJob(user) }
                let line = try await worker.waitForLine(
                    containing: "limit of open files (8) is reached",
                    within: .seconds(30)
                )
                #expect(line.contains("ulimit -n") && !line.contains("Check that the service runs"), "\(line)")
                try await setLimit("1024:", of: worker)
                try await expectAllDone(installation, users: users, within: .seconds(60))
                try await worker.stop()
            }
        }

        private func setLimit(_ limit: String, of worker: ProgramRun) async throws {
            let change = try ProgramRun(
                executable: "/usr/bin/prlimit",
                ["--pid", "\(worker.processID)", "--nofile=\(limit)"]
            )
            #expect(try await change.waitForExit() == .code(0), "\(change.transcript)")
        }

        /// A list of notes that finds no room on the disk is this machine's fault and not the job's.
        @Test func aFullTemporaryFolderPutsJobsOffAndSpendsNoAttempt() async throws {
            try await Installation.with(notes: 200) { installation in
                try await installation.addUser("ada")
                try await installation.addUser("bob")
                let folder = try FileManager.default.url(
                    for: .itemReplacementDirectory,
                    in: .userDomainMask,
                    appropriateFor: URL(filePath: "/tmp"),
                    create: true
                )
                defer { try? FileManager.default.removeItem(at: folder) }
                let mount = "mount -t tmpfs -o size=512k tmpfs '\(folder.path)' && exec \"$0\""
                let worker = try installation.launchWorker(
                    "worker",
                    ["TMPDIR": folder.path],
                    by: ["/usr/bin/unshare", "-rm", "/bin/sh", "-c", mount]
                )
                try await worker.waitForLine(containing: "Ready.")
                let warning = try await worker.waitForLine(containing: "SYNC_MAX_FETCH_BYTES")
                #expect(warning.contains("WARNING") && warning.contains("one may take up to 2097152 KiB"), "\(warning)")
                let filler = "/proc/\(worker.processID)/root\(folder.path)/filler"
                let file = open(filler, O_CREAT | O_WRONLY, 0o600)
                try #require(file >= 0)
                while write(file, [UInt8](repeating: 1, count: 4096), 4096) > 0 {}
                close(file)
                let job = try await installation.insertJob("ada")
                let record = try await installation.waitForJob(job, "the job to be postponed") { $0.lastError != nil }
                let message = record.lastError ?? ""
                #expect(message.contains("Worker worker: ") && message.contains(folder.path), "\(message)")
                #expect(message.contains("Free space there, or set TMPDIR"), "\(message)")
                #expect(message.hasSuffix("some."), "\(message)")
                // A tenth of this disk.
                #expect(message.contains(" 51 KiB are kept free"), "\(message)")
                let told = try await worker.waitForLine(containing: "fault of this machine")
                #expect(told.contains("WARNING") && told.contains(folder.path), "\(told)")
                let second = try await installation.insertJob("bob")
                try await installation.waitForJob(second, "the second to be postponed") { $0.lastError != nil }
                #expect(unlink(filler) == 0)
                let done = try await installation.waitForJob(job, within: .seconds(90))
                #expect(done.status == .completed && done.attempt == 1 && done.failedNotes == 0)
                #expect(worker.standardOutput.count { $0.contains("fault of this machine") } == 1)
                try await worker.stop()
            }
        }

        /// With so few the runtime library ends the process by a trap, or a file of settings seems to be missing.
        @Test(arguments: ["sync-worker", "sync-sidecar", "sync-intake", "syncctl"])
        func aLimitWithWhichNoProgramStartsIsNamed(program: String) async throws {
            for limit in 4...15 {
                let run = try ProgramRun(
                    executable: "/bin/sh",
                    [
                        "-c", "ulimit -n \(limit) && exec \"$0\" $1", ProgramRun.path(of: program),
                        program == "syncctl" ? "jobs" : "",
                    ],
                    environment: ["AWS_ENCRYPTION_KEY_FILE": #filePath, "AWS_ENCRYPTION_KEY": ""]
                )
                #expect(try await run.waitForExit() == .code(78), "\(limit): \(run.transcript)")
                #expect(run.standardError.count == 1, "\(limit): \(run.transcript)")
                let message = run.standardError.first ?? ""
                #expect(message.hasPrefix("\(program): This machine's limit of open files is \(limit);"), "\(message)")
                let least = ["sync-worker": 47, "syncctl": 16][program] ?? 40
                #expect(message.contains("needs \(least) at least. Raise it"), "\(message)")
            }
        }

        /// The HTTP server ends the process by a trap where it finds no descriptor.
        @Test(arguments: ["sync-sidecar", "sync-intake"])
        func theHTTPProgramsNameALimitThatIsTooLow(program: String) async throws {
            let run = try ProgramRun(
                executable: "/bin/sh",
                ["-c", "ulimit -n 16 && exec \"$0\"", ProgramRun.path(of: program)],
                environment: ["AWS_ENCRYPTION_KEY": try FernetKey.generate().base64]
            )
            #expect(try await run.waitForExit() == .code(78), "\(run.transcript)")
            #expect(run.standardError.first?.contains("limit of open files is 16; this program needs 40") == true)
        }

        @Test func aLimitWithRoomAboveItIsRaised() async throws {
            try await Installation.with(notes: 1) { installation in
                let worker = try installation.launchWorker("worker", openFiles: "-S -n 40")
                try await worker.waitForLine(containing: "Ready.")
                let limits = try String(contentsOfFile: "/proc/\(worker.processID)/limits", encoding: .utf8)
                let numbers = limits.split(separator: "\n").first { $0.hasPrefix("Max open files") }?
                    .split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
                #expect(numbers?.count == 2 && numbers?.first == numbers?.last, "\(limits)")
                #expect(!worker.transcript.contains("limit of open files"))
            }
        }

        @Test(arguments: [16, 30])
        func aLimitWithWhichNoJobCouldRunIsNamedAtTheStart(limit: Int) async throws {
            try await Installation.with(notes: 1) { installation in
                let worker = try installation.launchWorker("worker", openFiles: "-n \(limit)")
                #expect(try await worker.waitForExit() == .code(78), "\(worker.transcript)")
                #expect(worker.standardError.count == 1)
                let message = worker.standardError.first ?? ""
                #expect(message.contains("limit of open files is \(limit); a worker needs"), "\(message)")
            }
        }
    }
}
